// Checks the examples of docs/protocol.md by this client's own arithmetic: `node check_page.mjs PAGE`.
//
// Every check vector, every frame of the worked sessions and every value that they derive. Prints how many of each.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Channel } from "./channel.mjs";
import { FLAG, parsed, toWire } from "./frame.mjs";
import { helloHash, kdf, sessionContext, sessionValues, testKey } from "./keys.mjs";
import { read } from "./fields.mjs";
import { HELLO, OPEN } from "./messages.mjs";

const CRC_SIZE = 4;
const SERIAL_NUMBER = 0x00c0ffee;
const counted = { vectors: 0, keys: 0, examples: 0, frames: 0, sealed: 0, derived: 0 };
const bytes = (hex) => Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
const hex = (buffer) => buffer.toString("hex");

function linesOf(page, part) {
    const found = page.match(new RegExp(`<!-- generated: ${part} -->\\n\\n\`\`\`\\n([^]*?)\\n\`\`\``));
    assert(found, `the page has no part ${part}`);
    return found[1].split("\n").map((line) => line.trim());
}

function frameOn(wire) {
    assert.equal(wire[0] | wire.at(-1), 0);
    const frame = parsed(wire.subarray(1, -1));
    assert(frame, `no frame: ${hex(wire)}`);
    return frame;
}

function checkVectors(page) {
    let body = null;
    for (const line of linesOf(page, "vectors")) {
        const [word, ...rest] = line.split(" ");
        if (word === "body") body = bytes(rest.join(""));
        if (word !== "wire") continue;
        const wire = bytes(rest.join(""));
        frameOn(wire);
        if (body) assert.equal(hex(toWire(body.subarray(0, -CRC_SIZE))), hex(wire));
        body = null;
        counted.vectors++;
    }
}

function checkKeys(page) {
    for (const line of linesOf(page, "published-keys")) {
        const [, role, key] = line.match(/role (\d): ([0-9a-f]+)$/);
        assert.equal(hex(testKey(SERIAL_NUMBER, Number(role))), key);
        counted.keys++;
    }
}

/** Each example of a message is a whole frame, in hex of a block of its own. */
function checkExamples(page) {
    const [, operations] = page.match(/<!-- generated: operations -->([^]*)<!-- end: operations -->/);
    for (const [, example] of operations.matchAll(/```\n([0-9a-f \n]+)```/g)) {
        const { rest, length, flags } = frameOn(bytes(example));
        assert.equal(rest.length, flags & FLAG.SECURED ? length + 13 : length);
        counted.examples++;
    }
}

/** One session: its values are derived again from the frames in the clear, and every sealed frame is opened. */
class Session {
    #values = {};
    #last = {};
    #channel = null;

    take(line) {
        const [word, ...rest] = line.split(" ");
        if (word === "clear") this.#last.clear = bytes(rest.join(""));
        else if (word === "wire") this.#takeFrame(bytes(rest.join("")));
        else if (word === ">" || word === "<") this.#last = { toPump: word === ">", clear: null };
        else if (word !== "#" && line !== "") this.#takeValue(...line.split(": "));
    }

    #takeFrame(wire) {
        const frame = frameOn(wire);
        counted.frames++;
        const { toPump, clear } = this.#last;
        if (frame.flags & FLAG.SECURED) {
            this.#channel ??= this.#derived();
            const opened = toPump ? this.#channel.openedOwn(frame) : this.#channel.opened(frame);
            assert(opened, `the tag does not verify: ${hex(wire)}`);
            assert.equal(hex(opened), hex(clear));
            counted.sealed++;
        } else if (frame.opcode === (HELLO.opcode | 0x8000)) {
            this.helloFields = frame.rest.subarray(1);
        } else if (frame.opcode === OPEN.opcode) {
            this.request = read(OPEN.request, frame.rest);
        } else if (frame.opcode === (OPEN.opcode | 0x8000)) {
            this.answer = read(OPEN.answer, frame.rest.subarray(1));
        }
    }

    #takeValue(name, value) {
        this.#values[name.replace(/, session counter \d+/, "")] = value;
        const counter = name.match(/session counter (\d+)/)?.[1];
        if (counter) this.counter = BigInt(counter);
    }

    #derived() {
        const { role, flags, host_id: hostId, host_challenge: hostChallenge } = this.request;
        const { serial_number: serialNumber } = read(HELLO.answer, this.helloFields);
        const deviceChallenge = this.answer.device_challenge;
        const key = testKey(serialNumber, role);
        const facts = {
            role,
            flags,
            serialNumber,
            hostId,
            hostChallenge,
            deviceChallenge,
            helloFields: this.helloFields,
        };
        const context = sessionContext(facts);
        const values = sessionValues(key, context);
        const challenged = Buffer.alloc(12);
        challenged.writeBigUInt64LE(this.counter, 0);
        challenged.writeUInt32LE(serialNumber, 8);
        const told = {
            "the clinician's key": key,
            "host challenge": hostChallenge,
            "device challenge": kdf(key, 0x02, challenged, 8),
            "hash of HELLO's answer": helloHash(this.helloFields),
            "session context": context,
            "device cryptogram": values.deviceCryptogram,
            "host cryptogram": values.hostCryptogram,
            K_h2d: values.hostToPump,
            K_d2h: values.pumpToHost,
            salt: values.salt,
        };
        for (const [name, value] of Object.entries(told)) assert.equal(hex(value), this.#values[name], name);
        assert.equal(hex(deviceChallenge), hex(told["device challenge"]));
        assert.equal(hex(this.answer.device_cryptogram), hex(values.deviceCryptogram));
        counted.derived += Object.keys(told).length;
        return new Channel(values);
    }
}

function checkSessions(page, part) {
    let session = null;
    for (const line of linesOf(page, part)) {
        if (line.startsWith("> HELLO ")) session = new Session();
        session.take(line);
    }
}

const page = readFileSync(process.argv[2], "utf8");
checkVectors(page);
checkKeys(page);
checkExamples(page);
checkSessions(page, "session");
checkSessions(page, "lost-answer");
console.log(JSON.stringify(counted));
