// The operations that this client asks for, and the codes that it reads: docs/protocol.md, typed off.

const OUTCOME = [
    ["op_id", "u32"],
    ["state", "u8"],
    ["flags", "u8"],
    ["delivered_min_nl", "u32"],
    ["delivered_max_nl", "u32"],
    ["log_sequence", "u32"],
];

const OP_ENTRY = [
    ["role", "u8"],
    ["op_id", "u32"],
    ["host_id", "u32"],
    ["opcode", "u16"],
    ["payload_hash", "raw8"],
    ["state", "u8"],
    ["delivered_min_nl", "u32"],
    ["delivered_max_nl", "u32"],
    ["log_sequence", "u32"],
];

export const LOG_RECORD = [
    ["sequence", "u32"],
    ["epoch", "u16"],
    ["boot", "u16"],
    ["elapsed_s", "u32"],
    ["rtc_unix_s", "u32"],
    ["type", "u16"],
    ["flags", "u8"],
    ["data_length", "u8"],
    ["op_id", "u32"],
    ["data", "raw20"],
    ["crc32", "u32"],
];

/** Whether an operation has its place in the order of txns. */
const SEQUENCED = true;
const UNSEQUENCED = false;

const operation = (name, opcode, sequenced, request, answer) => ({ name, opcode, sequenced, request, answer });

export const HELLO = operation(
    "HELLO",
    0x0101,
    UNSEQUENCED,
    [
        ["major", "u8"],
        ["minor", "u8"],
    ],
    [
        ["major", "u8"],
        ["minor", "u8"],
        ["capabilities", "u64"],
        ["model", "text16"],
        ["serial_number", "u32"],
        ["firmware_hash", "raw8"],
        ["max_payload", "u16"],
        ["marks", "u8"],
    ],
);
export const OPEN = operation(
    "OPEN",
    0x0102,
    UNSEQUENCED,
    [
        ["role", "u8"],
        ["flags", "u8"],
        ["host_id", "u32"],
        ["host_challenge", "raw8"],
    ],
    [
        ["device_challenge", "raw8"],
        ["device_cryptogram", "raw8"],
    ],
);
export const AUTH = operation(
    "AUTH",
    0x0103,
    UNSEQUENCED,
    [["host_cryptogram", "raw8"]],
    [
        ["silence_s", "u16"],
        ["failed_attempts", "u8"],
    ],
);
export const KEEPALIVE = operation("KEEPALIVE", 0x0105, UNSEQUENCED, [], []);
export const CLOSE = operation("CLOSE", 0x0104, SEQUENCED, [], []);
export const STATUS = operation(
    "STATUS",
    0x0201,
    SEQUENCED,
    [],
    [
        ["run_state", "u8"],
        ["stop_reason", "u8"],
        ["alarms_raised", "u8"],
        ["alarms_unacknowledged", "u8"],
        ["therapy_rev", "u32"],
        ["elapsed_s", "u32"],
        ["base_rate_nl_per_day", "u32"],
        ["programmed_rate_nl_per_day", "u32"],
        ["reservoir_nl", "u32"],
        ["bolus_id", "u32"],
        ["bolus_volume_nl", "u32"],
        ["bolus_delivered_nl", "u32"],
        ["bolus_remaining_s", "u32"],
        ["delivered_nl", "u64"],
        ["log_epoch", "u16"],
        ["log_last", "u32"],
        ["boot", "u16"],
    ],
);
export const REDUCED_STATUS = operation(
    "STATUS",
    0x0201,
    UNSEQUENCED,
    [],
    [
        ["run_state", "u8"],
        ["alarm_present", "u8"],
    ],
);
export const PROGRAM_BEGIN = operation("PROGRAM_BEGIN", 0x0301, SEQUENCED, [], [["stage_id", "u32"]]);
export const PROGRAM_WRITE = operation(
    "PROGRAM_WRITE",
    0x0302,
    SEQUENCED,
    [
        ["stage_id", "u32"],
        ["block", "u8"],
        ["offset", "u16"],
        ["data", "bytes"],
    ],
    [["written", "u16"]],
);
export const PROGRAM_VALIDATE = operation(
    "PROGRAM_VALIDATE",
    0x0303,
    SEQUENCED,
    [["stage_id", "u32"]],
    [
        ["crc32", "u32"],
        ["image_size", "u16"],
        ["mode", "u8"],
        ["rate_nl_per_day", "u32"],
        ["steps_per_day", "u32"],
        ["low_reservoir_in_s", "u32"],
        ["low_reservoir_unix_s", "u32"],
        ["warnings", "u8"],
        ["window_peak_nl", "u32"],
        ["boluses_per_day_max", "u16"],
        ["refill_in_s", "u32"],
        ["refill_unix_s", "u32"],
        ["stability_in_s", "u32"],
    ],
);
export const STAGE_READ = operation(
    "STAGE_READ",
    0x0304,
    SEQUENCED,
    [
        ["stage_id", "u32"],
        ["block", "u8"],
        ["offset", "u16"],
        ["length", "u8"],
    ],
    [
        ["block_size", "u16"],
        ["data", "bytes"],
    ],
);
export const PROGRAM_COMMIT = operation(
    "PROGRAM_COMMIT",
    0x0305,
    SEQUENCED,
    [
        ["stage_id", "u32"],
        ["crc32", "u32"],
        ["op_id", "u32"],
        ["therapy_rev", "u32"],
    ],
    OUTCOME,
);
export const BOLUS_PREPARE = operation(
    "BOLUS_PREPARE",
    0x0403,
    SEQUENCED,
    [
        ["kind", "u8"],
        ["volume_nl", "u32"],
        ["volume_complement", "u32"],
        ["duration_s", "u32"],
    ],
    [
        ["bolus_id", "u32"],
        ["volume_nl", "u32"],
        ["duration_s", "u32"],
        ["steps", "u32"],
        ["lease_s", "u16"],
        ["available_nl", "u32"],
    ],
);
export const BOLUS_EXECUTE = operation(
    "BOLUS_EXECUTE",
    0x0404,
    SEQUENCED,
    [
        ["bolus_id", "u32"],
        ["volume_nl", "u32"],
        ["volume_complement", "u32"],
        ["duration_s", "u32"],
        ["op_id", "u32"],
        ["therapy_rev", "u32"],
    ],
    [...OUTCOME, ["bolus_id", "u32"], ["volume_nl", "u32"], ["duration_s", "u32"]],
);
export const LOG_STATUS = operation(
    "LOG_STATUS",
    0x0601,
    SEQUENCED,
    [],
    [
        ["epoch", "u16"],
        ["first", "u32"],
        ["last", "u32"],
        ["capacity", "u32"],
    ],
);
export const LOG_READ = operation(
    "LOG_READ",
    0x0602,
    SEQUENCED,
    [
        ["epoch", "u16"],
        ["from_sequence", "u32"],
        ["maximum", "u8"],
    ],
    [
        ["next_sequence", "u32"],
        ["records", { records: LOG_RECORD }],
    ],
);
export const SELFTEST = operation("SELFTEST", 0x0901, SEQUENCED, [], [["failed", "u8"]]);
export const OP_QUERY = operation(
    "OP_QUERY",
    0x0a01,
    UNSEQUENCED,
    [
        ["role", "u8"],
        ["op_id", "u32"],
    ],
    [
        ["epoch", "u16"],
        ["role", "u8"],
        ["op_high", "u32"],
        ["state", "u8"],
        ["op_id", "u32"],
        ["host_id", "u32"],
        ["opcode", "u16"],
        ["payload_hash", "raw8"],
        ["delivered_min_nl", "u32"],
        ["delivered_max_nl", "u32"],
        ["log_sequence", "u32"],
    ],
);
export const OP_LIST = operation(
    "OP_LIST",
    0x0a02,
    SEQUENCED,
    [["page", "u8"]],
    [
        ["epoch", "u16"],
        ["therapy_rev", "u32"],
        ["page", "u8"],
        ["pages", "u8"],
        ["clinician_op_high", "u32"],
        ["patient_op_high", "u32"],
        ["ops", { records: OP_ENTRY }],
    ],
);

export const SUBSCRIBE = operation(
    "SUBSCRIBE",
    0x0701,
    SEQUENCED,
    [
        ["fields", "u32"],
        ["period_s", "u16"],
    ],
    [["next_sequence", "u16"]],
);
export const UNSUBSCRIBE = operation("UNSUBSCRIBE", 0x0702, SEQUENCED, [], [["next_sequence", "u16"]]);
export const RESET_FLAGS = operation(
    "RESET_FLAGS",
    0x0703,
    SEQUENCED,
    [
        ["changed", "u32"],
        ["log_epoch", "u16"],
        ["log_sequence", "u32"],
    ],
    [["changed", "u32"]],
);
export const EVENT = 0x0704;
export const EVENT_HEAD = [
    ["stream_sequence", "u16"],
    ["elapsed_s", "u32"],
    ["changed", "u32"],
    ["log_epoch", "u16"],
    ["log_last", "u32"],
    ["fields", "u32"],
];
/** Each bit of `fields`, and what of an event it stands for. */
export const TELEMETRY = [
    [0x1, ["run_state", "u8"], ["stop_reason", "u8"]],
    [0x2, ["alarms_raised", "u8"], ["alarms_unacknowledged", "u8"]],
    [0x4, ["therapy_rev", "u32"]],
    [0x8, ["base_rate_nl_per_day", "u32"], ["programmed_rate_nl_per_day", "u32"]],
    [0x10, ["reservoir_nl", "u32"]],
    [
        0x20,
        ["bolus_id", "u32"],
        ["bolus_volume_nl", "u32"],
        ["bolus_delivered_nl", "u32"],
        ["bolus_remaining_s", "u32"],
    ],
    [0x40, ["delivered_nl", "u64"]],
    [0x80, ["boot", "u16"]],
    [0x100, ["rtc_unix_s", "u32"], ["offset_min", "i16"]],
    [0x200, ["idle_mv", "u16"], ["loaded_mv", "u16"], ["temperature_cc", "i16"]],
];

export const ROLE = { reader: 1, patient: 2, clinician: 3 };
export const MARK = { EMULATOR: 1, TEST_KEYS: 2, INSECURE: 4 };
export const BOLUS_KIND_SINGLE = 0x33;
export const OP_STATE = {
    0x33: "EXECUTING",
    0x3c: "DONE",
    0x55: "PARTIAL",
    0x5a: "REJECTED",
    0x66: "NOT_SEEN",
    0x69: "NEVER_TAKEN",
    0x96: "UNKNOWN_EVICTED",
    0x99: "PENDING",
};
/** Outcomes of an op that was taken. */
export const TAKEN = new Set(["EXECUTING", "DONE", "PARTIAL", "REJECTED"]);
export const NAK = {
    UNKNOWN_OP: 0x12,
    BUSY: 0x21,
    SEQUENCE: 0x24,
    PENDING: 0x78,
    NO_SUCH_SESSION: 0x7f,
    RECORD_OVERWRITTEN: 0xb4,
};
/** Refusals that resolve a command as not taken; every other one resolves nothing. */
const NOT_TAKEN = new Set([
    0x22, 0x31, 0x93, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
    0xb0, 0xb1, 0xb7, 0xb8,
]);
export const saysNotTaken = (code) => NOT_TAKEN.has(code);
