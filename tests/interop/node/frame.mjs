// Frames: COBS between zeros, CRC-32, the header of 12 bytes, and a reader that cuts a stream of bytes to bodies.

export const HEADER_SIZE = 12;
export const FLAG = { RESP: 1, EVENT: 2, RETRY: 4, SECURED: 8 };
export const ANSWER_BIT = 0x8000;
export const ANY_PUMP = 0xffffffff;
const MAJOR = 1;
const CRC_SIZE = 4;
const SMALLEST_BODY = HEADER_SIZE + CRC_SIZE;
const LONGEST_FRAME = 254;

/** What each byte makes of the low byte of a CRC-32, reflected, with polynomial 04C11DB7. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    return crc;
});

export function crc32(bytes) {
    let crc = 0xffffffff;
    for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
    return ~crc >>> 0;
}

/** The bytes of a frame on the wire. `content` is header, payload and, if it is secured, counter and tag. */
export function toWire(content) {
    const crc = Buffer.alloc(CRC_SIZE);
    crc.writeUInt32LE(crc32(content));
    return Buffer.concat([Buffer.of(0), cobsEncoded(Buffer.concat([content, crc])), Buffer.of(0)]);
}

/** A body has at most 253 bytes, so no group of COBS is ever full. */
export function cobsEncoded(body) {
    const out = [];
    let group = [];
    for (const byte of [...body, 0]) {
        if (byte === 0) {
            out.push(group.length + 1, ...group);
            group = [];
        } else {
            group.push(byte);
        }
    }
    return Buffer.from(out);
}

/** The body, or null where the coding is broken. */
export function cobsDecoded(coded) {
    const out = [];
    for (let at = 0; at < coded.length;) {
        const next = at + coded[at];
        if (next > coded.length) return null;
        out.push(...coded.subarray(at + 1, next));
        if (next < coded.length) out.push(0);
        at = next;
    }
    return Buffer.from(out);
}

export function headerBytes({ flags, txn, opcode, address, sessionId, length }) {
    const header = Buffer.alloc(HEADER_SIZE);
    header.writeUInt8((MAJOR << 4) | flags, 0);
    header.writeUInt8(txn, 1);
    header.writeUInt16LE(opcode, 2);
    header.writeUInt32LE(address, 4);
    header.writeUInt16LE(sessionId, 8);
    header.writeUInt16LE(length, 10);
    return header;
}

/** What stands between two zeros, as {header, txn, opcode, ..., rest}; null for anything damaged. */
export function parsed(coded) {
    const body = cobsDecoded(coded);
    if (body === null || body.length < SMALLEST_BODY) return null;
    const content = body.subarray(0, -CRC_SIZE);
    if (crc32(content) !== body.readUInt32LE(content.length)) return null;
    const header = content.subarray(0, HEADER_SIZE);
    return {
        header,
        major: header[0] >> 4,
        flags: header[0] & 0x0f,
        txn: header[1],
        opcode: header.readUInt16LE(2),
        address: header.readUInt32LE(4),
        sessionId: header.readUInt16LE(8),
        length: header.readUInt16LE(10),
        rest: content.subarray(HEADER_SIZE),
    };
}

/** Collects bytes, however they are cut, and gives the good frames among them. */
export class FrameReader {
    #pending = [];
    #skipping = false;

    *feed(chunk) {
        for (const byte of chunk) {
            if (byte !== 0) {
                if (this.#pending.length === LONGEST_FRAME) {
                    this.#skipping = true;
                    this.#pending = [];
                }
                if (!this.#skipping) this.#pending.push(byte);
                continue;
            }
            const frame = this.#pending.length > 0 ? parsed(Buffer.from(this.#pending)) : null;
            this.#pending = [];
            this.#skipping = false;
            if (frame !== null && frame.major === MAJOR) yield frame;
        }
    }
}
