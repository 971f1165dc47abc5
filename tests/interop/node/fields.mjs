// Messages as lists of [name, type], read and written in that order.
//
// A type is u8, u16, u32, u64, i16, i32, textN, rawN, "bytes" (a u8 count and so many bytes), {records: FIELDS} (a u8
// count and so many of them) or {places: N, of: FIELDS} (always N of them).

const INTEGERS = {
    u8: [1, "UInt8"],
    u16: [2, "UInt16LE"],
    u32: [4, "UInt32LE"],
    u64: [8, "BigUInt64LE"],
    i16: [2, "Int16LE"],
    i32: [4, "Int32LE"],
};

/** The fields of a message; bytes behind the last one are a later version's, and skipped. */
export function read(fields, bytes) {
    return readAt(fields, bytes, 0)[0];
}

export function write(fields, values) {
    return Buffer.concat(fields.map(([name, type]) => writeOne(type, values[name], name)));
}

function readAt(fields, bytes, start) {
    const values = {};
    let at = start;
    for (const [name, type] of fields) [values[name], at] = readOne(type, bytes, at);
    return [values, at];
}

function readOne(type, bytes, at) {
    if (type === "bytes") return [bytes.subarray(at + 1, at + 1 + bytes[at]), at + 1 + bytes[at]];
    if (type.records) return readMany(type.records, bytes[at], bytes, at + 1);
    if (type.places) return readMany(type.of, type.places, bytes, at);
    if (type in INTEGERS) {
        const [size, name] = INTEGERS[type];
        return [bytes[`read${name}`](at), at + size];
    }
    const [, kind, length] = type.match(/^(text|raw)(\d+)$/);
    const raw = bytes.subarray(at, at + Number(length));
    if (raw.length < Number(length)) throw new RangeError(`${type} at ${at}: only ${raw.length} bytes are left`);
    return [kind === "text" ? raw.toString("ascii").replace(/\0+$/, "") : raw, at + Number(length)];
}

function readMany(fields, count, bytes, start) {
    const items = [];
    let at = start;
    for (let index = 0; index < count; index++) [items[index], at] = readAt(fields, bytes, at);
    return [items, at];
}

function writeOne(type, value, name) {
    if (value === undefined) throw new TypeError(`the field ${name} is missing`);
    if (type === "bytes") return Buffer.concat([Buffer.of(value.length), value]);
    if (type.records)
        return Buffer.concat([Buffer.of(value.length), ...value.map((item) => write(type.records, item))]);
    if (type.places) {
        if (value.length !== type.places) throw new RangeError(`${name}: exactly ${type.places} of them are needed`);
        return Buffer.concat(value.map((item) => write(type.of, item)));
    }
    if (type in INTEGERS) {
        const [size, method] = INTEGERS[type];
        const out = Buffer.alloc(size);
        out[`write${method}`](value, 0);
        return out;
    }
    const [, kind, length] = type.match(/^(text|raw)(\d+)$/);
    const out = Buffer.alloc(Number(length));
    const raw = kind === "text" ? Buffer.from(value, "ascii") : value;
    if (raw.length > out.length) throw new RangeError(`${name}: at most ${length} bytes fit`);
    raw.copy(out);
    return out;
}
