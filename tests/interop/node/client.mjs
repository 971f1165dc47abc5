// A programmer for a vpump pump, written from docs/protocol.md alone: `node client.mjs --port PATH COMMAND [ARGUMENT ...]`.
//
// Prints one JSON document; `watch` prints one a line before it. Exit status: 0 done, 1 refused, 2 wrong usage, 3 no pump, no answer or a wrong key.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Book } from "./book.mjs";
import { Host, NoAnswer, Refused, SessionLost, WrongKey } from "./host.mjs";
import { Line } from "./line.mjs";
import { readLog } from "./log.mjs";
import {
    BOLUS_EXECUTE,
    BOLUS_KIND_SINGLE,
    BOLUS_PREPARE,
    CLOSE,
    REDUCED_STATUS,
    ROLE,
    SELFTEST,
    STATUS,
} from "./messages.mjs";
import { commitProgram } from "./program.mjs";
import { watch } from "./stream.mjs";
import { giveOnce, settle } from "./therapy.mjs";

async function bolus({ host, book, role }, volume, duration) {
    const volume_nl = Number(volume);
    const prepared = await host.ask(BOLUS_PREPARE, {
        kind: BOLUS_KIND_SINGLE,
        volume_nl,
        volume_complement: complement(volume_nl),
        duration_s: Number(duration),
    });
    const op = await giveOnce(host, book, role, BOLUS_EXECUTE, {
        bolus_id: prepared.bolus_id,
        volume_nl: prepared.volume_nl,
        volume_complement: complement(prepared.volume_nl),
        duration_s: prepared.duration_s,
    });
    return { prepared, op };
}

const complement = (volume_nl) => (volume_nl ^ 0xffffffff) >>> 0;

const COMMANDS = {
    status: ({ host }) => host.ask(STATUS),
    selftest: ({ host }) => host.ask(SELFTEST),
    program: ({ host, book, role }, file) => commitProgram(host, book, role, JSON.parse(readFileSync(file, "utf8"))),
    bolus,
    ops: async ({ host, book, role }) => ({ list: await settle(host, book, role), intentions: book.intentions }),
    watch: ({ host }, fields, period, count, from = "1") =>
        watch(host, {
            fields: Number(fields),
            period_s: Number(period),
            count: Number(count),
            from: Number(from),
            tell: (said) => console.log(JSON.stringify(said, inJson)),
        }),
    log: ({ host }, from = "1") => readLog(host, Number(from)),
};

async function withoutSession(host) {
    return { hello: await host.hello(), status: await host.ask(REDUCED_STATUS) };
}

async function withSession(host, options, command, rest) {
    const role = ROLE[options.role];
    const book = new Book(options.book, Number(options.host));
    const key = options.key ? Buffer.from(options.key, "hex") : null;
    const session = await host.openSession({ role, hostId: book.hostId, key, takeover: options.takeover });
    const told = await COMMANDS[command]({ host, book, role }, ...rest);
    await host.ask(CLOSE);
    return { session, ...told };
}

/** Bytes as hex, and whole numbers of 64 bits as numbers: they stay far below 2^53. */
function inJson(_name, value) {
    if (typeof value === "bigint") return Number(value);
    return value?.type === "Buffer" ? Buffer.from(value.data).toString("hex") : value;
}

async function main() {
    const { values: options, positionals } = parseArgs({
        allowPositionals: true,
        options: {
            port: { type: "string" },
            role: { type: "string", default: "clinician" },
            host: { type: "string", default: "1" },
            book: { type: "string", default: "book.json" },
            key: { type: "string" },
            takeover: { type: "boolean", default: false },
        },
    });
    const [command, ...rest] = positionals;
    if (!options.port || !(options.role in ROLE) || !(command === "hello" || command in COMMANDS)) {
        console.error(`usage: client.mjs --port PATH hello|${Object.keys(COMMANDS).join("|")}`);
        return 2;
    }
    const line = await Line.open(options.port);
    try {
        const host = new Host(line);
        const told = command === "hello" ? withoutSession(host) : withSession(host, options, command, rest);
        console.log(JSON.stringify(await told, inJson));
        return 0;
    } catch (error) {
        if (error instanceof Refused) {
            const { code, field, element, detail } = error;
            console.log(JSON.stringify({ refused: { code, field, element, detail } }));
            return 1;
        }
        if (![NoAnswer, SessionLost, WrongKey].some((kind) => error instanceof kind)) throw error;
        console.log(JSON.stringify({ failed: error.message }));
        return 3;
    } finally {
        await line.close();
    }
}

process.exitCode = await main();
