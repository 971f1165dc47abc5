// The event log, read by pages.

import { write } from "./fields.mjs";
import { crc32 } from "./frame.mjs";
import { Refused } from "./host.mjs";
import { LOG_READ, LOG_RECORD, LOG_STATUS, NAK } from "./messages.mjs";

const RECORDS_A_PAGE = 4;
const WITHOUT_CRC = LOG_RECORD.slice(0, -1);

/** All records from a sequence on; what was overwritten is told as a gap, and read past. */
export async function readLog(host, from) {
    const extent = await host.ask(LOG_STATUS);
    const [records, gaps] = [[], []];
    for (let next = from; ;) {
        try {
            const page = await host.ask(LOG_READ, {
                epoch: extent.epoch,
                from_sequence: next,
                maximum: RECORDS_A_PAGE,
            });
            if (page.records.length === 0) return { ...extent, gaps, records };
            records.push(...page.records.map(checked));
            next = page.next_sequence;
        } catch (error) {
            if (!(error instanceof Refused) || error.code !== NAK.RECORD_OVERWRITTEN) throw error;
            gaps.push({ from: next, to: error.detail - 1 });
            next = error.detail;
        }
    }
}

function checked(record) {
    const { data, data_length, crc32: crc, ...rest } = record;
    return { ...rest, data: data.subarray(0, data_length), good: crc32(write(WITHOUT_CRC, record)) === crc };
}
