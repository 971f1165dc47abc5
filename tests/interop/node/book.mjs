// What a host must know after a crash: who it is, what it meant to do, and what has become of that. One JSON file.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";

export class Book {
    #path;
    #content;

    constructor(path, hostId) {
        this.#path = path;
        this.#content = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { host_id: hostId, intentions: [] };
        this.#save();
    }

    get hostId() {
        return this.#content.host_id;
    }

    get intentions() {
        return this.#content.intentions;
    }

    /** Nobody knows yet whether they were taken. */
    get unresolved() {
        return this.intentions.filter(({ outcome }) => outcome === null);
    }

    /** They were taken, and what they deliver is not known yet. */
    get executing() {
        return this.intentions.filter(({ outcome }) => outcome?.state === "EXECUTING");
    }

    last(opId) {
        return this.intentions.findLast((intention) => intention.op_id === opId);
    }

    /** Durable before the first byte of the command leaves. */
    intend(intention) {
        this.intentions.push({ ...intention, outcome: null });
        this.#save();
    }

    resolve(opId, outcome) {
        this.last(opId).outcome = outcome;
        this.#save();
    }

    #save() {
        const file = openSync(`${this.#path}.new`, "w", 0o600);
        writeSync(file, JSON.stringify(this.#content, null, 1));
        fsyncSync(file);
        closeSync(file);
        renameSync(`${this.#path}.new`, this.#path);
    }
}
