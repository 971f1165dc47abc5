// Commands that change therapy, each given once: the host's rules of docs/protocol.md.

import { createHash } from "node:crypto";
import { write } from "./fields.mjs";
import { NoAnswer, Refused } from "./host.mjs";
import { OP_LIST, OP_QUERY, OP_STATE, ROLE, TAKEN, saysNotTaken } from "./messages.mjs";

const QUERIES = 10;
const NOT_TAKEN = { state: "NOT_TAKEN" };

/** A complete OP_LIST: every page with the same revision, else it is read again. */
export async function opList(host) {
    for (;;) {
        const pages = [];
        do pages.push(await host.ask(OP_LIST, { page: pages.length }));
        while (pages.length < pages[0].pages);
        if (pages.every((page) => page.therapy_rev === pages[0].therapy_rev)) {
            return { ...pages[0], ops: pages.flatMap((page) => page.ops) };
        }
    }
}

/**
 * Reads the list, and books what became of this role's intentions. To be called first in every session: what an older
 * session of this host has sent can no longer arrive, so that here NOT_SEEN is final.
 */
export async function settle(host, book, role) {
    const list = await opList(host);
    for (const intention of [...book.unresolved, ...book.executing]) {
        if (intention.role !== role || intention.epoch !== list.epoch) continue;
        const entry = list.ops.find((op) => op.role === role && op.op_id === intention.op_id);
        const outcome = entry ? outcomeOf(intention, entry) : await query(host, intention);
        if (outcome.state === "NOT_SEEN" || outcome.state === "NEVER_TAKEN") book.resolve(intention.op_id, NOT_TAKEN);
        else if (outcome.state !== "UNKNOWN_EVICTED") book.resolve(intention.op_id, outcome);
    }
    return list;
}

/** Gives a command under the next op id, and says what became of it. `command` has no op_id and no therapy_rev yet. */
export async function giveOnce(host, book, role, operation, command) {
    const list = await settle(host, book, role);
    const [open] = book.unresolved;
    if (open) throw new NoAnswer(`nobody knows what became of op ${open.op_id}: nothing new is begun`);
    const op_id = (role === ROLE.patient ? list.patient_op_high : list.clinician_op_high) + 1;
    const values = { ...command, op_id, therapy_rev: list.therapy_rev };
    book.intend({
        op_id,
        role,
        host_id: book.hostId,
        serial_number: host.greeting.serial_number,
        epoch: list.epoch,
        opcode: operation.opcode,
        payload: write(operation.request, values).toString("hex"),
        payload_hash: payloadHash(operation, values),
    });
    const outcome = await outcomeOfSending(host, operation, values, book);
    if (TAKEN.has(outcome.state)) book.resolve(op_id, outcome);
    return { op_id, ...outcome };
}

async function outcomeOfSending(host, operation, values, book) {
    try {
        const answer = await host.ask(operation, values);
        return { ...delivered(answer), answer };
    } catch (error) {
        if (error instanceof Refused && saysNotTaken(error.code)) {
            book.resolve(values.op_id, NOT_TAKEN);
            throw error;
        }
        if (!(error instanceof NoAnswer || error instanceof Refused)) throw error;
        return query(host, book.last(values.op_id));
    }
}

/** OP_QUERY, until it says something else than that the request is unanswered. */
async function query(host, { role, op_id, ...intention }) {
    for (let tries = 1; ; tries++) {
        const outcome = outcomeOf(intention, await host.ask(OP_QUERY, { role, op_id }));
        if (outcome.state !== "PENDING") return outcome;
        if (tries === QUERIES) throw new NoAnswer(`op ${op_id} stayed PENDING`);
    }
}

/** An entry with another host, opcode or hash is another's: this command was not taken. */
function outcomeOf(intention, entry) {
    const outcome = delivered(entry);
    const same =
        entry.host_id === intention.host_id &&
        entry.opcode === intention.opcode &&
        entry.payload_hash.toString("hex") === intention.payload_hash;
    return same || !TAKEN.has(outcome.state) ? outcome : NOT_TAKEN;
}

const delivered = ({ state, delivered_min_nl, delivered_max_nl }) => ({
    state: OP_STATE[state],
    delivered_min_nl,
    delivered_max_nl,
});

/** The first 8 bytes of SHA-256 over opcode and payload without therapy_rev. */
function payloadHash(operation, values) {
    const opcode = Buffer.alloc(2);
    opcode.writeUInt16LE(operation.opcode);
    const fields = operation.request.filter(([name]) => name !== "therapy_rev");
    const hash = createHash("sha256").update(opcode).update(write(fields, values));
    return hash.digest().subarray(0, 8).toString("hex");
}
