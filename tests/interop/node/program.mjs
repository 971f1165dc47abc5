// A program: seven blocks staged in parts, validated, read back and committed as one transaction.

import { read, write } from "./fields.mjs";
import { crc32 } from "./frame.mjs";
import { PROGRAM_BEGIN, PROGRAM_COMMIT, PROGRAM_VALIDATE, PROGRAM_WRITE, STAGE_READ } from "./messages.mjs";
import { giveOnce } from "./therapy.mjs";

const PART_SIZE = 192;
const WHOLE_IMAGE = 0;

const DRUG = [
    ["name", "text16"],
    ["concentration_ng_per_ml", "u32"],
    ["stability_days", "u16"],
];
const CHANGE = [
    ["start_min", "u16"],
    ["rate_nl_per_day", "u32"],
];
const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const CHANGES_A_DAY = 13;
const DRUGS = 5;
const NO_DRUG = { name: "", concentration_ng_per_ml: 0, stability_days: 0 };
const NO_CHANGE = { start_min: 0xffff, rate_nl_per_day: 0 };

/** Name, number and fields of each block, in the order of the canonical image. */
const BLOCKS = [
    ["drugs", 1, [["drugs", { places: DRUGS, of: DRUG }]]],
    [
        "infusion",
        2,
        [
            ["mode", "u8"],
            ["rate_nl_per_day", "u32"],
            ["dose_volume_nl", "u32"],
            ["dose_duration_s", "u32"],
            ["dose_interval_s", "u32"],
        ],
    ],
    ["schedule", 5, WEEKDAYS.map((day) => [day, { places: CHANGES_A_DAY, of: CHANGE }])],
    [
        "patient",
        6,
        [
            ["volume_nl", "u32"],
            ["duration_s", "u32"],
            ["lockout_s", "u32"],
            ["window_s", "u32"],
            ["activations_max", "u16"],
        ],
    ],
    [
        "limits",
        3,
        [
            ["rate_max_nl_per_day", "u32"],
            ["bolus_volume_max_nl", "u32"],
            ["window_max_nl", "u32"],
        ],
    ],
    [
        "alarms",
        4,
        [
            ["low_reservoir_nl", "u32"],
            ["critical_repeat_min", "u16"],
            ["non_critical_repeat_min", "u16"],
        ],
    ],
    ["catheter", 7, [["catheter_nl", "u32"]]],
];
const MODES = {
    stopped: 0x33,
    minimum_rate: 0x3c,
    simple_continuous: 0x55,
    flex: 0x5a,
    single_bolus: 0x66,
    periodic_bolus: 0x69,
};

const filledUp = (places, count, empty) => [...places, ...Array(count - places.length).fill(empty)];

/** The bytes of each block of a program in words: what it leaves out is 0, or an empty place. */
export function blockBytes(program) {
    return BLOCKS.map(([name, number, fields]) => [
        number,
        write(fields, blockValues(name, fields, program[name] ?? {})),
    ]);
}

function blockValues(name, fields, given) {
    if (name === "drugs") return { drugs: filledUp(Array.isArray(given) ? given : [], DRUGS, NO_DRUG) };
    const values = Object.fromEntries(fields.map(([field]) => [field, given[field] ?? 0]));
    if (name === "infusion") values.mode = MODES[given.mode];
    if (name === "schedule") {
        for (const day of WEEKDAYS)
            values[day] = filledUp(given[day] ?? given.every_day ?? [], CHANGES_A_DAY, NO_CHANGE);
    }
    return values;
}

/** An image in words again, to be shown to the clinician. */
export function imageInWords(image) {
    const words = {};
    let at = 0;
    for (const [name, , fields] of BLOCKS) {
        words[name] = read(fields, image.subarray(at));
        at += write(fields, words[name]).length;
    }
    return words;
}

/** Stages a program, reads back what would run, and commits that. */
export async function commitProgram(host, book, role, program) {
    const { stage_id } = await host.ask(PROGRAM_BEGIN);
    for (const [block, bytes] of blockBytes(program)) {
        for (let offset = 0; offset < bytes.length; offset += PART_SIZE) {
            const data = bytes.subarray(offset, offset + PART_SIZE);
            await host.ask(PROGRAM_WRITE, { stage_id, block, offset, data });
        }
    }
    const summary = await host.ask(PROGRAM_VALIDATE, { stage_id });
    const image = await stagedImage(host, stage_id, summary.image_size);
    if (crc32(image) !== summary.crc32) throw new Error("what was read back is not what was validated");
    const op = await giveOnce(host, book, role, PROGRAM_COMMIT, { stage_id, crc32: summary.crc32 });
    return { summary, image: imageInWords(image), op };
}

async function stagedImage(host, stage_id, size) {
    const parts = [];
    for (let offset = 0; offset < size; offset += parts.at(-1).length) {
        const { data } = await host.ask(STAGE_READ, { stage_id, block: WHOLE_IMAGE, offset, length: PART_SIZE });
        if (data.length === 0) throw new Error(`the image ends at byte ${offset} of ${size}`);
        parts.push(data);
    }
    return Buffer.concat(parts);
}
