// Everything that is derived from a role's key. AES-CMAC (RFC 4493) is built from AES-ECB, which Node's crypto has.

import { createCipheriv, createHash } from "node:crypto";

const BLOCK_SIZE = 16;
const LAST_BIT_LOST = 0x87;

function aesBlock(key, block) {
    const cipher = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
    return Buffer.concat([cipher.update(block), cipher.final()]);
}

/** Twice a value of GF(2^128), most significant byte first. */
function doubled(block) {
    const out = Buffer.alloc(BLOCK_SIZE);
    for (let at = 0; at < BLOCK_SIZE; at++) out[at] = (block[at] << 1) | (at + 1 < BLOCK_SIZE ? block[at + 1] >> 7 : 0);
    if (block[0] & 0x80) out[BLOCK_SIZE - 1] ^= LAST_BIT_LOST;
    return out;
}

const xored = (a, b) => Buffer.from(a.map((byte, at) => byte ^ b[at]));

export function aesCmac(key, message) {
    const subkey = doubled(aesBlock(key, Buffer.alloc(BLOCK_SIZE)));
    const blocks = Math.max(1, Math.ceil(message.length / BLOCK_SIZE));
    let last = message.subarray((blocks - 1) * BLOCK_SIZE);
    if (last.length === BLOCK_SIZE) {
        last = xored(last, subkey);
    } else {
        const padded = Buffer.concat([last, Buffer.of(0x80), Buffer.alloc(BLOCK_SIZE - last.length - 1)]);
        last = xored(padded, doubled(subkey));
    }
    let state = Buffer.alloc(BLOCK_SIZE);
    for (let block = 0; block < blocks - 1; block++) {
        state = aesBlock(key, xored(state, message.subarray(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)));
    }
    return aesBlock(key, xored(state, last));
}

/** `KDF(key, constant, context)`, shortened to `size` bytes. */
export function kdf(key, constant, context, size) {
    const label = Buffer.alloc(BLOCK_SIZE);
    label[11] = constant;
    label.writeUInt16BE(8 * size, 13);
    label[15] = 1;
    return aesCmac(key, Buffer.concat([label, context])).subarray(0, size);
}

/** The key of a role of a pump that was given none of its own. */
export function testKey(serialNumber, role) {
    const context = Buffer.alloc(5);
    context.writeUInt32LE(serialNumber, 0);
    context.writeUInt8(role, 4);
    return kdf(Buffer.from("vpump TEST KEYS!", "ascii"), 0x10, context, 16);
}

/** The first 16 bytes of SHA-256 over the payload of HELLO's answer behind its result byte. */
export const helloHash = (fields) => createHash("sha256").update(fields).digest().subarray(0, 16);

/** The 42 bytes that every value of a session is derived from. */
export function sessionContext({ role, flags, serialNumber, hostId, hostChallenge, deviceChallenge, helloFields }) {
    const start = Buffer.alloc(10);
    start.writeUInt8(role, 0);
    start.writeUInt8(flags, 1);
    start.writeUInt32LE(serialNumber, 2);
    start.writeUInt32LE(hostId, 6);
    return Buffer.concat([start, hostChallenge, deviceChallenge, helloHash(helloFields)]);
}

/** Cryptograms, keys of both directions and salt of a session. */
export function sessionValues(roleKey, context) {
    return {
        deviceCryptogram: kdf(roleKey, 0x00, context, 8),
        hostCryptogram: kdf(roleKey, 0x01, context, 8),
        hostToPump: kdf(roleKey, 0x04, context, 16),
        pumpToHost: kdf(roleKey, 0x06, context, 16),
        salt: kdf(roleKey, 0x07, context, 8),
    };
}
