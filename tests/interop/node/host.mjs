// The programmer's end of the line: one request at a time, retries, which answer counts, and the handshake.

import { randomBytes } from "node:crypto";
import { Channel } from "./channel.mjs";
import { read, write } from "./fields.mjs";
import { ANSWER_BIT, ANY_PUMP, FLAG, headerBytes } from "./frame.mjs";
import { sessionContext, sessionValues, testKey } from "./keys.mjs";
import { AUTH, EVENT, HELLO, MARK, NAK, OPEN } from "./messages.mjs";

const OK = 0x0f;
const NAK_SIZE = 8;
const ANSWER_MS = 600;
const BUSY_MS = 100;
const PENDING_MS = 5000;
const RETRIES = 3;
const PENDINGS = 5;
const RENUMBERINGS = 3;

/** The pump said no. */
export class Refused extends Error {
    constructor(operation, payload) {
        const [code, field, element, detail] = [
            payload[0],
            payload[1],
            payload.readUInt16LE(2),
            payload.readUInt32LE(4),
        ];
        super(`${operation.name}: NAK ${code.toString(16)} field ${field} element ${element} detail ${detail}`);
        Object.assign(this, { code, field, element, detail });
    }
}

/** No answer came, which does not say that nothing happened. */
export class NoAnswer extends Error {}

/** The pump knows this session no more. */
export class SessionLost extends Error {}

/** The pump's cryptogram is wrong: another key, or another pump. */
export class WrongKey extends Error {}

const afterwards = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Host {
    #line;
    #address = ANY_PUMP;
    #sessionId = 0;
    #channel = null;
    // Sequenced requests have one counter of txns, all others another.
    #txns = { true: 0, false: 0 };
    #onEvent = () => {};

    constructor(line) {
        this.#line = line;
    }

    /** Who is there: the fields of HELLO's answer. Whatever follows is addressed to that pump. */
    async hello() {
        this.#address = ANY_PUMP;
        const { payload, frame } = await this.#exchange(HELLO, { major: 1, minor: 0 });
        this.#address = frame.address;
        this.helloFields = payload.subarray(1);
        this.greeting = read(HELLO.answer, this.helloFields);
        return this.greeting;
    }

    /** HELLO, OPEN, AUTH. `key` is the role's; without it the pump must have test keys. */
    async openSession({ role, hostId, key = null, takeover = false }) {
        const { serial_number: serialNumber, marks } = await this.hello();
        if (key === null && !(marks & MARK.TEST_KEYS)) throw new WrongKey("this pump has keys of its own");
        const roleKey = key ?? testKey(serialNumber, role);
        const [flags, hostChallenge] = [takeover ? 1 : 0, randomBytes(8)];
        const opened = await this.ask(OPEN, { role, flags, host_id: hostId, host_challenge: hostChallenge });
        const context = sessionContext({
            role,
            flags,
            serialNumber,
            hostId,
            hostChallenge,
            deviceChallenge: opened.device_challenge,
            helloFields: this.helloFields,
        });
        const values = sessionValues(roleKey, context);
        if (!values.deviceCryptogram.equals(opened.device_cryptogram)) throw new WrongKey("the pump has another key");
        const channel = new Channel(values);
        const { payload, frame } = await this.#exchange(AUTH, { host_cryptogram: values.hostCryptogram }, channel);
        this.#channel = channel;
        this.#sessionId = frame.sessionId;
        return read(AUTH.answer, payload.subarray(1));
    }

    /** The fields of the answer; throws Refused, NoAnswer, SessionLost. */
    async ask(operation, values = {}) {
        const { payload } = await this.#exchange(operation, values);
        return read(operation.answer, payload.subarray(1));
    }

    /** Calls `listener(payload, txn)` for each event that the pump sends by itself. */
    onEvent(listener) {
        this.#onEvent = listener;
    }

    /** Takes events, and nothing else, until `enough` says so, at most for so long. */
    async listen(milliseconds, enough) {
        const until = performance.now() + milliseconds;
        for (let frame; !enough() && (frame = await this.#line.frame(until)) !== null;) this.#takeEvent(frame);
    }

    async #exchange(operation, values, handshakeChannel = null) {
        const payload = write(operation.request, values);
        let txn = this.#nextTxn(operation);
        let [retries, pendings, renumberings] = [0, 0, 0];
        let deadline = this.#send(operation, payload, txn, 0);
        for (;;) {
            const answer = await this.#answerTo(operation, txn, deadline, handshakeChannel);
            if (answer === null || answer.code === NAK.BUSY) {
                if (retries++ === RETRIES) throw new NoAnswer(`${operation.name} was not answered`);
                if (answer !== null) await afterwards(BUSY_MS);
                deadline = this.#send(operation, payload, txn, FLAG.RETRY);
            } else if (answer.code === NAK.PENDING) {
                if (pendings++ === PENDINGS) throw new NoAnswer(`${operation.name} stayed PENDING`);
                deadline = performance.now() + PENDING_MS;
            } else if (answer.code === NAK.SEQUENCE) {
                if (renumberings++ === RENUMBERINGS) throw new NoAnswer(`${operation.name} stayed out of sequence`);
                txn = (answer.payload.readUInt32LE(4) + 1) % 256;
                this.#txns[operation.sequenced] = txn;
                deadline = this.#send(operation, payload, txn, 0);
            } else if (answer.code !== OK) {
                throw new Refused(operation, answer.payload);
            } else {
                return answer;
            }
        }
    }

    #nextTxn(operation) {
        this.#txns[operation.sequenced] = (this.#txns[operation.sequenced] + 1) % 256;
        return this.#txns[operation.sequenced];
    }

    /** Sends a request, sealed anew in a session, and says until when its answer may take. */
    #send(operation, payload, txn, retryFlag) {
        const header = headerBytes({
            flags: retryFlag | (this.#channel ? FLAG.SECURED : 0),
            txn,
            opcode: operation.opcode,
            address: this.#address,
            sessionId: this.#sessionId,
            length: payload.length,
        });
        this.#line.send(this.#channel ? this.#channel.sealed(header, payload) : Buffer.concat([header, payload]));
        return performance.now() + ANSWER_MS;
    }

    async #answerTo(operation, txn, deadline, handshakeChannel) {
        for (let frame; (frame = await this.#line.frame(deadline)) !== null;) {
            if (frame.flags & FLAG.EVENT) {
                this.#takeEvent(frame);
                continue;
            }
            const isAnswer = (frame.flags & FLAG.RESP) !== 0 && frame.opcode === (operation.opcode | ANSWER_BIT);
            const fromPump = this.#address === ANY_PUMP || frame.address === this.#address;
            if (!isAnswer || !fromPump || frame.txn !== txn) continue;
            const payload = this.#openedAnswer(frame, handshakeChannel);
            if (payload === null || payload.length === 0) continue;
            if (payload[0] !== OK && payload.length < NAK_SIZE) continue;
            return { code: payload[0], payload, frame };
        }
        return null;
    }

    /** What an answer says; null for one that a host does not believe. */
    #openedAnswer(frame, handshakeChannel) {
        if (frame.flags & FLAG.SECURED) {
            // The answer to AUTH is the first sealed one, and says which session it is.
            if (handshakeChannel) return handshakeChannel.opened(frame);
            return frame.sessionId === this.#sessionId ? (this.#channel?.opened(frame) ?? null) : null;
        }
        if (frame.rest.length !== frame.length) return null;
        if (!this.#channel) return handshakeChannel && frame.rest[0] === OK ? null : frame.rest;
        if (frame.rest[0] === NAK.NO_SUCH_SESSION) throw new SessionLost("the pump has no such session");
        return null;
    }

    #takeEvent(frame) {
        if (!(frame.flags & FLAG.EVENT) || frame.opcode !== EVENT || frame.address !== this.#address) return;
        const secured = (frame.flags & FLAG.SECURED) !== 0;
        if (secured !== (this.#channel !== null) || frame.sessionId !== this.#sessionId) return;
        const payload = secured ? this.#channel.opened(frame) : frame.rest;
        if (payload !== null) this.#onEvent(payload, frame.txn);
    }
}
