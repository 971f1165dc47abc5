// Decodes frames with the parser that Kaitai's compiler made: `node decode.mjs PARSER.cjs`, its runtime on NODE_PATH.
//
// Each line of standard input asks for one thing, each line of the output is a JSON document: what the parser found, or
// {"rejected": reason}. `frame HEX` is a frame from delimiter to delimiter; `payload OPCODE EVENT SECURED HEX` is a payload
// in the clear; `type NAME HEX` is a block of a program, or another type of the description. What a description cannot say
// is done here: COBS and the CRC-32.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { crc32 } from "node:zlib";

const require = createRequire(import.meta.url);
const KaitaiStream = require("kaitai-struct/KaitaiStream");
const { Vpump } = require(process.argv[2]);

function undoCobs(coded) {
  const bytes = [];
  for (let at = 0; at < coded.length; ) {
    const code = coded[at];
    if (at + code > coded.length) throw new Error("COBS");
    for (let next = at + 1; next < at + code; next += 1) bytes.push(coded[next]);
    at += code;
    if (code < 0xff && at < coded.length) bytes.push(0);
  }
  return Uint8Array.from(bytes);
}

function checked(bytes) {
  const end = bytes.length - 4;
  if (end < 0 || crc32(bytes.subarray(0, end)) !== new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true)) {
    throw new Error("CRC-32");
  }
  return bytes;
}

const hex = (bytes) => Buffer.from(bytes).toString("hex");

function recordOf(record) {
  try {
    const data = record.record;
    return data === undefined || data instanceof Uint8Array ? null : dump(data);
  } catch {
    return null;
  }
}

function dump(value) {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(dump);
  if (value === null || typeof value !== "object") return value;
  const name = value.constructor.name;
  if (name === "Text") return value.value;
  const fields = { "#": name };
  for (const [key, each] of Object.entries(value)) {
    if (!key.startsWith("_") && each !== undefined) fields[key.toLowerCase()] = dump(each);
  }
  if (name === "LogRecord") fields.record = recordOf(value);
  return fields;
}

function checkRecords(frame) {
  const message = frame.payload?.message;
  if (message?.records) message._raw_records.forEach(checked);
}

const stream = (text) => new KaitaiStream(Uint8Array.from(Buffer.from(text ?? "", "hex")));

const READERS = {
  frame(wire) {
    const body = checked(undoCobs(Buffer.from(wire, "hex").subarray(1, -1)));
    const frame = new Vpump(new KaitaiStream(body));
    checkRecords(frame);
    return frame;
  },
  payload(opcode, event, secured, bytes) {
    const input = stream(bytes);
    return new Vpump.Payload(input, undefined, undefined, Number(opcode), event === "1", secured === "1", 1);
  },
  type(name, bytes) {
    return new Vpump[name](stream(bytes));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [kind, ...words] = line.split(" ");
  let told;
  try {
    told = dump(READERS[kind](...words));
  } catch (error) {
    told = { rejected: String(error.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
