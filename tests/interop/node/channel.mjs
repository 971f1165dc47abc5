// Secured frames: AES-CCM with a tag of 8 bytes, and a counter that only rises in each direction.

import { createCipheriv, createDecipheriv } from "node:crypto";

const TAG_SIZE = 8;
const COUNTER_SIZE = 5;
const PUMP_TO_HOST = 2n ** 39n;

function nonce(salt, direction, counter) {
    const low = Buffer.alloc(8);
    low.writeBigUInt64BE(direction + counter);
    return Buffer.concat([salt, low.subarray(8 - COUNTER_SIZE)]);
}

/** One end of a session: seals what the host sends, opens what the pump sends. */
export class Channel {
    #values;
    #sent = 0n;
    #received = 0n;

    constructor(values) {
        this.#values = values;
    }

    /** Header and payload as they go out: header, sealed payload, counter, tag. */
    sealed(header, payload) {
        this.#sent += 1n;
        const iv = nonce(this.#values.salt, 0n, this.#sent);
        const cipher = createCipheriv("aes-128-ccm", this.#values.hostToPump, iv, { authTagLength: TAG_SIZE });
        cipher.setAAD(header, { plaintextLength: payload.length });
        const secret = Buffer.concat([cipher.update(payload), cipher.final()]);
        const counter = Buffer.alloc(8);
        counter.writeBigUInt64LE(this.#sent);
        return Buffer.concat([header, secret, counter.subarray(0, COUNTER_SIZE), cipher.getAuthTag()]);
    }

    /** The payload of the pump's frame; null for a wrong tag, a wrong length and a counter that did not rise. */
    opened(frame) {
        return this.#opened(frame, this.#values.pumpToHost, PUMP_TO_HOST, true);
    }

    /** The payload of a frame that this host sent: only to read a session that was written down. */
    openedOwn(frame) {
        return this.#opened(frame, this.#values.hostToPump, 0n, false);
    }

    #opened({ header, length, rest }, key, direction, mustRise) {
        if (rest.length !== length + COUNTER_SIZE + TAG_SIZE) return null;
        const counterBytes = Buffer.concat([rest.subarray(length, length + COUNTER_SIZE), Buffer.alloc(3)]);
        const counter = counterBytes.readBigUInt64LE();
        if (mustRise && counter <= this.#received) return null;
        const iv = nonce(this.#values.salt, direction, counter);
        const decipher = createDecipheriv("aes-128-ccm", key, iv, { authTagLength: TAG_SIZE });
        decipher.setAuthTag(rest.subarray(length + COUNTER_SIZE));
        decipher.setAAD(header, { plaintextLength: length });
        try {
            const payload = decipher.update(rest.subarray(0, length));
            decipher.final();
            if (mustRise) this.#received = counter;
            return payload;
        } catch {
            return null;
        }
    }
}
