// A subscription: events as hints, the log as the truth, and flags that are reset only up to what has been read.

import { read } from "./fields.mjs";
import { EVENT_HEAD, KEEPALIVE, RESET_FLAGS, SUBSCRIBE, TELEMETRY, UNSUBSCRIBE } from "./messages.mjs";
import { readLog } from "./log.mjs";

const SPEAK_EVERY_S = 60;
const PATIENCE_MS = 10_000;

/** An event's payload: its head, then the fields whose bits are set, in the order of the bits. */
export function eventOf(payload) {
    const { fields } = read(EVENT_HEAD, payload);
    const told = TELEMETRY.flatMap(([bit, ...rows]) => (fields & bit ? rows : []));
    return read([...EVENT_HEAD, ...told], payload);
}

/** How many events lie between two numbers, which count modulo 65536. */
const between = (earlier, later) => (later - earlier - 1) & 0xffff;

/**
 * Subscribes, tells each event to `tell`, and what the log has behind it. Ends after `count` events, or when none has
 * come for long.
 */
export async function watch(host, { fields, period_s, count, from, tell }) {
    const waiting = [];
    host.onEvent((payload, txn) => {
        const event = eventOf(payload);
        if ((event.stream_sequence & 0xff) === txn) waiting.push(event);
    });
    const { next_sequence } = await host.ask(SUBSCRIBE, { fields, period_s });
    let [seen, missed, expected, next, spoken_s] = [0, 0, next_sequence, from, null];
    while (seen < count) {
        if (waiting.length === 0) await host.listen(PATIENCE_MS, () => waiting.length > 0);
        const event = waiting.shift();
        if (event === undefined) break;
        missed += between((expected - 1) & 0xffff, event.stream_sequence);
        expected = (event.stream_sequence + 1) & 0xffff;
        seen++;
        tell({ event });
        spoken_s ??= event.elapsed_s;
        if (event.changed !== 0) {
            const { records } = await readLog(host, next);
            next = records.length > 0 ? records.at(-1).sequence + 1 : next;
            const { changed } = await host.ask(RESET_FLAGS, {
                changed: event.changed,
                log_epoch: event.log_epoch,
                log_sequence: next - 1,
            });
            tell({ records: records.map(({ sequence, type }) => ({ sequence, type })), still_set: changed });
            spoken_s = event.elapsed_s;
        } else if (event.elapsed_s - spoken_s >= SPEAK_EVERY_S) {
            await host.ask(KEEPALIVE);
            spoken_s = event.elapsed_s;
        }
    }
    const { next_sequence: after } = await host.ask(UNSUBSCRIBE);
    return { seen, missed, next_sequence: after };
}
