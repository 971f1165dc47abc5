-- A Wireshark dissector for the vpump wire protocol, which docs/protocol.md of the project specifies.
-- Generated from the tables that the pump itself runs by (`vpump spec --format lua`): change those.
--
-- It dissects captures of link type USER0 (147), one or more frames in each packet, from delimiter to delimiter:
--   tshark -X lua_script:vpump.lua -r capture.pcapng
-- or put it into Wireshark's folder of personal Lua plugins. Filters: vpump.operation, vpump.result, vpump.rejected,
-- vpump.unreadable, vpump.sealed, and every field of every message as vpump.<message>.<field>.

local MAJOR = 1
local OK = 15
local MAX_PAYLOAD = 224
local ENCODED_MAX = 254
local EVENT_KEY = 65536
local REDUCED_KEY = 131072
local OPERATIONS = {
    [0x101] = "HELLO",
    [0x102] = "OPEN",
    [0x103] = "AUTH",
    [0x104] = "CLOSE",
    [0x105] = "KEEPALIVE",
    [0x106] = "CAPS",
    [0x107] = "LINK_STATS",
    [0x201] = "STATUS",
    [0x202] = "IDENT",
    [0x203] = "THERAPY_READ",
    [0x204] = "LIMITS",
    [0x205] = "COUNTERS",
    [0x206] = "BATTERY",
    [0x207] = "RESERVOIR",
    [0x301] = "PROGRAM_BEGIN",
    [0x302] = "PROGRAM_WRITE",
    [0x303] = "PROGRAM_VALIDATE",
    [0x304] = "STAGE_READ",
    [0x305] = "PROGRAM_COMMIT",
    [0x306] = "PROGRAM_ABORT",
    [0x401] = "STOP",
    [0x402] = "START",
    [0x403] = "BOLUS_PREPARE",
    [0x404] = "BOLUS_EXECUTE",
    [0x405] = "BOLUS_CANCEL",
    [0x406] = "PATIENT_BOLUS",
    [0x501] = "ALARM_LIST",
    [0x502] = "ALARM_ACK",
    [0x503] = "ALARM_CLEAR",
    [0x504] = "ALARM_SNAPSHOT",
    [0x505] = "ALARM_SILENCE",
    [0x601] = "LOG_STATUS",
    [0x602] = "LOG_READ",
    [0x603] = "LOG_FIND_BY_ELAPSED",
    [0x701] = "SUBSCRIBE",
    [0x702] = "UNSUBSCRIBE",
    [0x703] = "RESET_FLAGS",
    [0x801] = "TIME_READ",
    [0x802] = "TIME_SET",
    [0x901] = "SELFTEST",
    [0x902] = "REFILL_BEGIN",
    [0x903] = "REFILL_COMMIT",
    [0xa01] = "OP_QUERY",
    [0xa02] = "OP_LIST",
    [0x704] = "EVENT",
}
local RESULTS = {
    [0x0f] = "OK",
    [0x11] = "UNKNOWN_SERVICE",
    [0x12] = "UNKNOWN_OP",
    [0x13] = "FORMAT",
    [0x21] = "BUSY",
    [0x22] = "CONDITIONS",
    [0x24] = "SEQUENCE",
    [0x31] = "RANGE",
    [0x33] = "ROLE",
    [0x34] = "AUTH_REQUIRED",
    [0x35] = "KEY",
    [0x36] = "ATTEMPTS",
    [0x37] = "DELAY",
    [0x72] = "MEMORY_FAILURE",
    [0x73] = "BLOCK_SEQUENCE",
    [0x78] = "PENDING",
    [0x7f] = "NO_SUCH_SESSION",
    [0x93] = "BATTERY_LOW",
    [0xa0] = "BELOW_MINIMUM",
    [0xa1] = "ABOVE_MAXIMUM",
    [0xa2] = "NOT_QUANTIZABLE",
    [0xa3] = "LOCKOUT",
    [0xa4] = "WINDOW_DOSE_LIMIT",
    [0xa5] = "NOTHING_STAGED",
    [0xa6] = "STAGE_CHANGED",
    [0xa7] = "LEASE_EXPIRED",
    [0xa8] = "NO_SUCH_BOLUS",
    [0xa9] = "BOLUS_RUNNING",
    [0xaa] = "ALREADY_ENDED",
    [0xab] = "ALREADY_IN_STATE",
    [0xac] = "ALARM_BLOCKS",
    [0xad] = "RESERVOIR",
    [0xae] = "PUMP_STOPPED",
    [0xaf] = "STALLED",
    [0xb0] = "UNRESOLVED",
    [0xb1] = "OP_ID_REUSED",
    [0xb2] = "BUSY_OTHER_HOST",
    [0xb3] = "REDUNDANCY_MISMATCH",
    [0xb4] = "RECORD_OVERWRITTEN",
    [0xb5] = "RECORD_CORRUPT",
    [0xb6] = "NO_SUCH_ALARM",
    [0xb7] = "CLOCK_INVALID",
    [0xb8] = "CONCENTRATION_MISMATCH",
    [0xb9] = "OP_ID_STALE",
    [0xba] = "LOG_EPOCH",
}
local FAULTS = {
    cobs = "broken COBS coding",
    crc = "wrong CRC",
    short = "shorter than a frame",
    length = "length is not the header's",
    flags = "flags contradict opcode, session id or direction",
    oversize = "255 bytes without a delimiter",
}
local CODES = {
    role = { [0x01] = "READER", [0x02] = "PATIENT", [0x03] = "CLINICIAN" },
    run_state = { [0x33] = "RUNNING", [0x3c] = "STOPPED", [0x66] = "FAILED" },
    stop_reason = {
        [0x00] = "NONE",
        [0x01] = "COMMANDED",
        [0x02] = "EMPTY_RESERVOIR",
        [0x03] = "MEMORY_FAILURE",
        [0x04] = "PROGRAMMED",
        [0x05] = "END_OF_SERVICE",
        [0x06] = "SUPERVISOR",
        [0x07] = "PROGRAM_INCOMPLETE",
    },
    mode = {
        [0x33] = "STOPPED",
        [0x3c] = "MINIMUM_RATE",
        [0x55] = "SIMPLE_CONTINUOUS",
        [0x5a] = "FLEX",
        [0x66] = "SINGLE_BOLUS",
        [0x69] = "PERIODIC_BOLUS",
    },
    block = {
        [0x00] = "IMAGE",
        [0x01] = "DRUGS",
        [0x02] = "INFUSION",
        [0x03] = "LIMITS",
        [0x04] = "ALARMS",
        [0x05] = "SCHEDULE",
        [0x06] = "PATIENT",
        [0x07] = "CATHETER",
    },
    bolus_kind = { [0x33] = "SINGLE", [0x3c] = "PRIMING", [0x55] = "BRIDGE", [0x5a] = "PATIENT", [0x66] = "PROGRAMMED" },
    bolus_end_reason = {
        [0x00] = "NONE",
        [0x01] = "COMPLETE",
        [0x02] = "CANCELLED",
        [0x03] = "STOPPED",
        [0x04] = "RESET",
        [0x05] = "EMPTY",
        [0x06] = "STALL",
        [0x07] = "ALARM",
    },
    op_state = {
        [0x33] = "EXECUTING",
        [0x3c] = "DONE",
        [0x55] = "PARTIAL",
        [0x5a] = "REJECTED",
        [0x66] = "NOT_SEEN",
        [0x69] = "NEVER_TAKEN",
        [0x96] = "UNKNOWN_EVICTED",
        [0x99] = "PENDING",
    },
    alarm_type = {
        [0x01] = "LOW_RESERVOIR",
        [0x02] = "EMPTY_RESERVOIR",
        [0x03] = "MEMORY_FAILURE",
        [0x04] = "MEMORY_REPAIRED",
        [0x05] = "REPLACEMENT",
        [0x06] = "END_OF_SERVICE",
        [0x07] = "MOTOR_STALL",
        [0x08] = "STOPPED_TOO_LONG",
        [0x09] = "LOW_BATTERY_RESET",
        [0x0a] = "RESET",
        [0x0b] = "CLOCK_LOST",
        [0x0c] = "PROGRAM_INCOMPLETE",
        [0x0d] = "SUPERVISOR",
    },
    alarm_state = { [0x33] = "RAISED", [0x3c] = "ACKNOWLEDGED", [0x55] = "CLEARED" },
    priority = { [0x01] = "NON_CRITICAL", [0x02] = "CRITICAL" },
    reset_reason = { [0x01] = "FIRST_POWER_UP", [0x02] = "POWER", [0x03] = "LOW_BATTERY", [0x04] = "COMMANDED" },
    memory_condition = { [0x00] = "BOTH_SLOTS_GOOD", [0x01] = "ONE_SLOT_LOST", [0x02] = "BOTH_SLOTS_LOST" },
    log_type = {
        [0x01] = "BOOT",
        [0x02] = "TIME_SET",
        [0x03] = "MEMORY_REPAIRED",
        [0x101] = "THERAPY_STARTED",
        [0x102] = "THERAPY_STOPPED",
        [0x103] = "BOLUS_STARTED",
        [0x104] = "BOLUS_ENDED",
        [0x105] = "BOLUS_CANCELLED",
        [0x106] = "PROGRAM_CHANGED",
        [0x107] = "DELIVERED",
        [0x108] = "REFILLED",
        [0x109] = "PROGRAM_BEGUN",
        [0x201] = "ALARM_RAISED",
        [0x202] = "ALARM_ACKNOWLEDGED",
        [0x203] = "ALARM_CLEARED",
        [0x204] = "ALARM_SILENCED",
        [0x205] = "STALL_ENDED",
        [0x301] = "SESSION_TAKEN_OVER",
        [0x302] = "AUTHENTICATION_FAILED",
        [0x303] = "KEYS_REPLACED",
        [0xffff] = "CORRUPT",
    },
}
local FLAGS = {
    open_flag = {
        admitted = 1,
        named = {
            { name = "takeover", mask = 1, about = "take the clinician's place from another host" },
        },
    },
    warnings = {
        admitted = 4294967295,
        named = {
            { name = "rate_rounded", mask = 1, about = "a rate was rounded down to a whole quantum, or a volume to whole motor steps" },
            { name = "no_delivery", mask = 2, about = "this program delivers nothing" },
            { name = "needs_start", mask = 4, about = "therapy is stopped, and stays so until START" },
            { name = "low_reservoir", mask = 8, about = "the reservoir is at or below the alarm's level already" },
            { name = "drugs_changed", mask = 16, about = "other drugs or concentrations than those of the active program" },
            { name = "bridge_due", mask = 32, about = "the old drugs are still in tubing and catheter: a BRIDGE bolus is due" },
        },
    },
    op_flag = {
        admitted = 3,
        named = {
            { name = "repeated", mask = 1, about = "the ledger held it already: nothing is given again" },
            { name = "not_entered", mask = 2, about = "the pump stands still, but this op id could not be entered in the ledger (STOP only)" },
        },
    },
    marks = {
        admitted = 4294967295,
        named = {
            { name = "emulator", mask = 1, about = "not a device" },
            { name = "test_keys", mask = 2, about = "its keys are published" },
            { name = "insecure", mask = 4, about = "asks for no key: session 0 is a clinician's" },
        },
    },
    capability = {
        admitted = 4294967295,
        named = {
            { name = "single_bolus", mask = 1, about = "BOLUS_PREPARE, BOLUS_EXECUTE, BOLUS_CANCEL with kind SINGLE" },
            { name = "alarms", mask = 2, about = "service 05" },
            { name = "event_log", mask = 4, about = "service 06" },
            { name = "op_ledger", mask = 8, about = "service 0A" },
            { name = "sessions", mask = 16, about = "OPEN, AUTH, CLOSE, KEEPALIVE" },
            { name = "programs", mask = 32, about = "service 03 and THERAPY_READ" },
            { name = "schedules", mask = 64, about = "the modes FLEX, SINGLE_BOLUS and PERIODIC_BOLUS" },
            { name = "patient_bolus", mask = 128, about = "PATIENT_BOLUS" },
            { name = "dead_volume_boluses", mask = 256, about = "BOLUS_PREPARE with kind PRIMING and BRIDGE" },
            { name = "refill", mask = 512, about = "REFILL_BEGIN, REFILL_COMMIT, RESERVOIR" },
            { name = "clock", mask = 1024, about = "TIME_SET" },
            { name = "selftest", mask = 2048, about = "SELFTEST" },
            { name = "stream", mask = 4096, about = "service 07" },
        },
    },
    changed_flag = {
        admitted = 4294967295,
        named = {
            { name = "boot", mask = 1, about = "the pump started" },
            { name = "therapy", mask = 2, about = "therapy was started or stopped" },
            { name = "bolus", mask = 4, about = "a bolus, or a dose of the program, began, ended or was cancelled" },
            { name = "program", mask = 8, about = "a program was begun, or became the active one" },
            { name = "alarm", mask = 16, about = "an alarm was raised, acknowledged, silenced or cleared, or a stall ended" },
            { name = "refill", mask = 32, about = "the reservoir was refilled" },
            { name = "clock", mask = 64, about = "the clock was set" },
            { name = "delivery", mask = 128, about = "the log has told again what has been delivered" },
            { name = "memory", mask = 256, about = "a copy of a record was lost, and made anew" },
            { name = "security", mask = 512, about = "a place was taken over, an authentication failed, or keys were replaced" },
        },
    },
    telemetry_field = {
        admitted = 4294967295,
        named = {
            { name = "run_state", mask = 1, about = "run_state, stop_reason" },
            { name = "alarms", mask = 2, about = "alarms_raised, alarms_unacknowledged" },
            { name = "therapy_rev", mask = 4, about = "therapy_rev" },
            { name = "rate", mask = 8, about = "base_rate_nl_per_day, programmed_rate_nl_per_day" },
            { name = "reservoir", mask = 16, about = "reservoir_nl" },
            { name = "bolus", mask = 32, about = "bolus_id, bolus_volume_nl, bolus_delivered_nl, bolus_remaining_s" },
            { name = "delivered", mask = 64, about = "delivered_nl" },
            { name = "boot", mask = 128, about = "boot" },
            { name = "clock", mask = 256, about = "rtc_unix_s, offset_min" },
            { name = "battery", mask = 512, about = "idle_mv, loaded_mv, temperature_cc" },
        },
    },
    self_test_part = {
        admitted = 4294967295,
        named = {
            { name = "memory", mask = 1, about = "a copy of a record could not be read" },
            { name = "cell", mask = 2, about = "the cell, under the motor's load, is below what the electronics start with" },
            { name = "clock", mask = 4, about = "the clock's counter has been lost" },
            { name = "rotor", mask = 8, about = "the rotor did not follow its last pulse; it is given none for the test" },
        },
    },
}
local TYPES = {
    hello_request = {
        grows = true,
        fields = {
            { name = "major", kind = "u8", about = "the host's major version" },
            { name = "minor", kind = "u8", about = "the host's minor version" },
        },
    },
    hello_answer = {
        grows = true,
        fields = {
            { name = "major", kind = "u8", about = "the pump's major version" },
            { name = "minor", kind = "u8", about = "the pump's minor version" },
            { name = "capabilities", kind = "u64", flags = "capability", about = "what is built; unknown bits are to be skipped" },
            { name = "model", kind = "text", size = 16, about = "the model's name" },
            { name = "serial_number", kind = "u32", hex = true, about = "the serial number, which is also the address" },
            { name = "firmware_hash", kind = "raw", size = 8, about = "identifies the firmware" },
            { name = "max_payload", kind = "u16", unit = "bytes", about = "the largest payload of a frame, in both directions" },
            { name = "marks", kind = "u8", flags = "marks", about = "what a programmer must show; unknown bits are to be skipped" },
        },
    },
    open_request = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", code = "role", about = "the role that the session is to have" },
            { name = "flags", kind = "u8", flags = "open_flag", about = "TAKEOVER: end another host's clinician session" },
            { name = "host_id", kind = "u32", minimum = 1, hex = true, about = "the host's own number, the same after a crash; not 0" },
            { name = "host_challenge", kind = "raw", size = 8, about = "never the same twice" },
        },
    },
    open_answer = {
        grows = true,
        fields = {
            { name = "device_challenge", kind = "raw", size = 8, about = "never the same twice" },
            { name = "device_cryptogram", kind = "raw", size = 8, about = "shows that the pump has the role's key" },
        },
    },
    auth_request = {
        grows = false,
        fields = {
            { name = "host_cryptogram", kind = "raw", size = 8, about = "shows that the host has the role's key" },
        },
    },
    auth_answer = {
        grows = true,
        fields = {
            { name = "silence_s", kind = "u16", unit = "s", about = "the session ends after so long without a good frame from the host" },
            { name = "failed_attempts", kind = "u8", unit = "attempts", about = "failed authentications of this role and port before this one" },
        },
    },
    close_request = {
        grows = false,
        fields = {},
    },
    close_answer = {
        grows = true,
        fields = {},
    },
    keepalive_request = {
        grows = true,
        fields = {},
    },
    keepalive_answer = {
        grows = true,
        fields = {},
    },
    caps_request = {
        grows = false,
        fields = {},
    },
    caps_answer = {
        grows = true,
        fields = {
            { name = "volume_quantum_nl", kind = "u32", unit = "nl", about = "one motor step" },
            { name = "rate_min_nl_per_day", kind = "u32", unit = "nl/d", about = "the least base rate above 0" },
            { name = "rate_max_nl_per_day", kind = "u32", unit = "nl/d", about = "the greatest base rate" },
            { name = "rate_quantum_nl_per_day", kind = "u32", unit = "nl/d", about = "base rates are multiples of it" },
            { name = "bolus_volume_min_nl", kind = "u32", unit = "nl", about = "the least bolus" },
            { name = "bolus_volume_max_nl", kind = "u32", unit = "nl", about = "the greatest bolus" },
            { name = "bolus_duration_min_s", kind = "u32", unit = "s", about = "the shortest bolus" },
            { name = "bolus_duration_max_s", kind = "u32", unit = "s", about = "the longest bolus" },
            { name = "bolus_rate_max_nl_per_day", kind = "u32", unit = "nl/d", about = "volume over duration may not exceed it" },
            { name = "lease_s", kind = "u16", unit = "s", about = "how long a prepared bolus waits for its EXECUTE" },
            { name = "reservoir_capacity_nl", kind = "u32", unit = "nl", about = "a full reservoir" },
            { name = "low_reservoir_nl", kind = "u32", unit = "nl", about = "the level of the low reservoir alarm" },
            { name = "empty_reservoir_nl", kind = "u32", unit = "nl", about = "the level at which therapy stops" },
            { name = "journal_interval_nl", kind = "u32", unit = "nl", about = "after a power cut, min and max differ by at most this" },
            { name = "log_capacity", kind = "u32", unit = "records", about = "how many records the log holds" },
            { name = "alarm_capacity", kind = "u8", unit = "alarms", about = "how many alarms the list holds" },
            { name = "drugs_max", kind = "u8", unit = "drugs", about = "how many drugs a program can name" },
            { name = "concentration_max_ng_per_ml", kind = "u32", unit = "ng/mL", about = "the greatest concentration" },
            { name = "flow_max_nl_per_day", kind = "u32", unit = "nl/d", about = "what the motor makes at most, base and boluses together" },
            { name = "window_max_nl", kind = "u32", unit = "nl", about = "the most in any 24 h, base and boluses together" },
            { name = "dose_history", kind = "u8", unit = "boluses", about = "while so many lie in one window, no further bolus is given" },
            { name = "dead_volume_duration_max_s", kind = "u32", unit = "s", about = "the longest priming or bridge bolus" },
            { name = "tubing_nl", kind = "u32", unit = "nl", about = "the pump's own tubing, between reservoir and catheter" },
            { name = "residual_nl", kind = "u32", unit = "nl", about = "what a syringe cannot withdraw from the reservoir" },
            { name = "stops_while_programming", kind = "u8", maximum = 1, about = "1: therapy stands still from PROGRAM_BEGIN until COMMIT" },
            { name = "patient_lockout_min_s", kind = "u32", unit = "s", about = "the shortest lockout that a program may ask for" },
            { name = "patient_lockout_max_s", kind = "u32", unit = "s", about = "the longest" },
            { name = "patient_window_min_s", kind = "u32", unit = "s", about = "the shortest window in which a program may count patient boluses" },
            { name = "patient_window_max_s", kind = "u32", unit = "s", about = "the longest" },
            { name = "patient_activations_max", kind = "u8", unit = "boluses", about = "the most patient boluses in a window" },
            { name = "stall_sample_s", kind = "u32", unit = "s", about = "how often the pump looks whether the rotor has turned" },
            { name = "stall_samples", kind = "u8", unit = "samples", about = "so many without motion, one after the other, make a stall" },
            { name = "stopped_too_long_s", kind = "u32", unit = "s", about = "how long therapy may stand still before an alarm" },
            { name = "tone_repeat_min_min", kind = "u16", unit = "min", about = "the shortest repeat interval of an alarm's tone" },
            { name = "tone_repeat_max_min", kind = "u16", unit = "min", about = "the longest" },
            { name = "silence_min", kind = "u16", unit = "min", about = "how long a silenced alarm is silent" },
            { name = "end_of_service_days", kind = "u16", unit = "days", about = "from the alarm REPLACEMENT to the end of service" },
            { name = "life_max_days", kind = "u16", unit = "days", about = "from the first power-up to the end of service at the latest" },
            { name = "stream_period_min_s", kind = "u16", unit = "s", about = "the shortest period that SUBSCRIBE may ask for" },
            { name = "stream_period_max_s", kind = "u16", unit = "s", about = "the longest" },
        },
    },
    link_stats_request = {
        grows = false,
        fields = {},
    },
    link_stats_answer = {
        grows = true,
        fields = {
            { name = "frames_received", kind = "u32", unit = "frames", about = "good frames for this pump" },
            { name = "frames_sent", kind = "u32", unit = "frames", about = "frames sent" },
            { name = "cobs_errors", kind = "u32", unit = "errors", about = "the COBS coding was broken" },
            { name = "crc_errors", kind = "u32", unit = "errors", about = "the CRC did not match" },
            { name = "short_errors", kind = "u32", unit = "errors", about = "less than 16 bytes between two delimiters" },
            { name = "length_errors", kind = "u32", unit = "errors", about = "another length than the header's, or above the greatest" },
            { name = "flags_errors", kind = "u32", unit = "errors", about = "flags, bit 15 or session id contradict each other or the direction" },
            { name = "oversize_errors", kind = "u32", unit = "errors", about = "255 bytes without a delimiter" },
            { name = "version_errors", kind = "u32", unit = "errors", about = "another major version, and not HELLO" },
            { name = "address_errors", kind = "u32", unit = "errors", about = "another pump's address" },
            { name = "duplicates", kind = "u32", unit = "frames", about = "duplicates that were answered from the cache or with PENDING" },
            { name = "sequence_refusals", kind = "u32", unit = "frames", about = "requests that were refused with SEQUENCE" },
            { name = "tag_errors", kind = "u32", unit = "errors", about = "secured frames whose tag did not verify" },
            { name = "counter_errors", kind = "u32", unit = "errors", about = "secured frames whose counter was not above the last" },
        },
    },
    status_request = {
        grows = false,
        fields = {},
    },
    status_answer = {
        grows = true,
        fields = {
            { name = "run_state", kind = "u8", code = "run_state", about = "whether therapy runs" },
            { name = "stop_reason", kind = "u8", code = "stop_reason", about = "why it does not" },
            { name = "alarms_raised", kind = "u8", unit = "alarms", about = "alarms that are not cleared" },
            { name = "alarms_unacknowledged", kind = "u8", unit = "alarms", about = "alarms that nobody has acknowledged" },
            { name = "therapy_rev", kind = "u32", about = "the current revision; for display only, quote none but OP_LIST's" },
            { name = "elapsed_s", kind = "u32", unit = "s", about = "elapsed time" },
            { name = "base_rate_nl_per_day", kind = "u32", unit = "nl/d", about = "the base rate that flows now; 0 while stopped" },
            { name = "programmed_rate_nl_per_day", kind = "u32", unit = "nl/d", about = "the base rate that START resumes" },
            { name = "reservoir_nl", kind = "u32", unit = "nl", about = "the reservoir's content as computed from motor steps" },
            { name = "bolus_id", kind = "u32", about = "the running bolus; 0 = none" },
            { name = "bolus_volume_nl", kind = "u32", unit = "nl", about = "its volume" },
            { name = "bolus_delivered_nl", kind = "u32", unit = "nl", about = "what it has delivered so far" },
            { name = "bolus_remaining_s", kind = "u32", unit = "s", about = "until its end" },
            { name = "delivered_nl", kind = "u64", unit = "nl", about = "delivered in the pump's life" },
            { name = "log_epoch", kind = "u16", about = "the log's epoch" },
            { name = "log_last", kind = "u32", about = "the last log sequence; 0 = the log is empty" },
            { name = "boot", kind = "u16", about = "the number of this boot" },
        },
    },
    reduced_status_answer = {
        grows = true,
        fields = {
            { name = "run_state", kind = "u8", code = "run_state", about = "whether therapy runs" },
            { name = "alarm_present", kind = "u8", maximum = 1, about = "1: at least one alarm is not cleared" },
        },
    },
    ident_request = {
        grows = false,
        fields = {},
    },
    ident_answer = {
        grows = true,
        fields = {
            { name = "model", kind = "text", size = 16, about = "the model's name" },
            { name = "profile", kind = "text", size = 16, about = "the profile that gives its parameters" },
            { name = "serial_number", kind = "u32", hex = true, about = "the serial number, which is also the address" },
            { name = "firmware_version", kind = "text", size = 16, about = "the firmware's version" },
            { name = "firmware_hash", kind = "raw", size = 8, about = "identifies the firmware" },
            { name = "model_version", kind = "u16", about = "pumps of equal version behave alike to the byte" },
            { name = "boots", kind = "u16", about = "how often it has started" },
        },
    },
    therapy_read_request = {
        grows = false,
        fields = {
            { name = "block", kind = "u8", code = "block", about = "which block of the active program" },
            { name = "offset", kind = "u16", unit = "bytes", about = "from which byte of the block on" },
            {
                name = "length",
                kind = "u8",
                minimum = 1,
                maximum = 192,
                unit = "bytes",
                about = "at most so many",
            },
        },
    },
    therapy_read_answer = {
        grows = true,
        fields = {
            { name = "crc32", kind = "u32", hex = true, about = "of the active program's canonical image" },
            { name = "block_size", kind = "u16", unit = "bytes", about = "the whole block" },
            { name = "data", kind = "blob", maximum = 192, unit = "bytes", about = "the bytes that were asked for, as far as there are any" },
        },
    },
    limits_request = {
        grows = false,
        fields = {},
    },
    limits_answer = {
        grows = true,
        fields = {
            { name = "rate_max_nl_per_day", kind = "u32", unit = "nl/d", about = "the greatest base rate" },
            { name = "bolus_volume_max_nl", kind = "u32", unit = "nl", about = "the greatest bolus" },
            { name = "window_max_nl", kind = "u32", unit = "nl", about = "the most in any 24 h, base and boluses together" },
            { name = "window_left_nl", kind = "u32", unit = "nl", about = "what of it a bolus may have now; what the program will give is reserved" },
            { name = "reservoir_left_nl", kind = "u32", unit = "nl", about = "what the reservoir can give before it counts as empty" },
            { name = "patient_volume_nl", kind = "u32", unit = "nl", about = "the patient's bolus" },
            { name = "patient_duration_s", kind = "u32", unit = "s", about = "its duration" },
            { name = "lockout_s", kind = "u32", unit = "s", about = "the least time between two of them" },
            { name = "lockout_left_s", kind = "u32", unit = "s", about = "until the next may be asked for, by lockout and activations; 0 = now" },
            { name = "activations_max", kind = "u16", unit = "boluses", about = "the most of them in a window" },
            { name = "activations_left", kind = "u16", unit = "boluses", about = "how many of them are left in this window" },
            { name = "activation_window_s", kind = "u32", unit = "s", about = "the length of that window" },
        },
    },
    counters_request = {
        grows = false,
        fields = {},
    },
    counters_answer = {
        grows = true,
        fields = {
            { name = "steps", kind = "u64", unit = "steps", about = "motor steps as commanded" },
            { name = "delivered_nl", kind = "u64", unit = "nl", about = "what they make, dead volume included" },
            { name = "dead_volume_nl", kind = "u64", unit = "nl", about = "priming and bridge boluses" },
            { name = "stalled_pulses", kind = "u64", unit = "steps", about = "motor steps commanded while an alarm of a stalled rotor stood" },
            { name = "boots", kind = "u16", about = "how often it has started" },
            { name = "repairs", kind = "u32", unit = "repairs", about = "copies of a record that were lost and made anew" },
        },
    },
    battery_request = {
        grows = false,
        fields = {},
    },
    battery_answer = {
        grows = true,
        fields = {
            { name = "idle_mv", kind = "u16", unit = "mV", about = "the cell at rest" },
            { name = "loaded_mv", kind = "u16", unit = "mV", about = "the cell under the motor's load" },
            { name = "temperature_cc", kind = "i16", unit = "0.01 C", about = "the temperature" },
            { name = "replacement_since_s", kind = "u32", unit = "s", about = "elapsed time of the alarm REPLACEMENT; FFFFFFFF = not raised yet" },
            { name = "end_of_service_s", kind = "u32", unit = "s", about = "elapsed time at which service ends, as far as is known now" },
        },
    },
    reservoir_request = {
        grows = false,
        fields = {},
    },
    reservoir_answer = {
        grows = true,
        fields = {
            { name = "volume_nl", kind = "u32", unit = "nl", about = "computed from the last refill and motor steps since" },
            { name = "capacity_nl", kind = "u32", unit = "nl", about = "a full reservoir" },
            { name = "refilled_s", kind = "u32", unit = "s", about = "elapsed time of the last refill; FFFFFFFF = none yet" },
            { name = "filled_nl", kind = "u32", unit = "nl", about = "what it held after that" },
            { name = "discrepancy_nl", kind = "i32", unit = "nl", about = "what was withdrawn then, less what had been computed" },
            { name = "low_in_s", kind = "u32", unit = "s", about = "until the low reservoir alarm, at the program's own flow" },
            { name = "refill_in_s", kind = "u32", unit = "s", about = "until it, if the patient takes every bolus that the program allows" },
            { name = "stability_in_s", kind = "u32", unit = "s", about = "until a drug is no longer stable" },
        },
    },
    program_begin_request = {
        grows = false,
        fields = {},
    },
    program_begin_answer = {
        grows = true,
        fields = {
            { name = "stage_id", kind = "u32", about = "names the new, empty stage of this session" },
        },
    },
    program_write_request = {
        grows = false,
        fields = {
            { name = "stage_id", kind = "u32", about = "of PROGRAM_BEGIN's answer" },
            { name = "block", kind = "u8", code = "block", about = "which block; not IMAGE" },
            { name = "offset", kind = "u16", unit = "bytes", about = "how many bytes of the block have been written before; 0 begins it anew" },
            { name = "data", kind = "blob", maximum = 192, unit = "bytes", about = "the next bytes of the block" },
        },
    },
    program_write_answer = {
        grows = true,
        fields = {
            { name = "written", kind = "u16", unit = "bytes", about = "how many bytes of the block have been written now" },
        },
    },
    program_validate_request = {
        grows = false,
        fields = {
            { name = "stage_id", kind = "u32", about = "of PROGRAM_BEGIN's answer" },
        },
    },
    program_validate_answer = {
        grows = true,
        fields = {
            { name = "crc32", kind = "u32", hex = true, about = "of the canonical image: PROGRAM_COMMIT quotes it" },
            { name = "image_size", kind = "u16", unit = "bytes", about = "of the canonical image" },
            { name = "mode", kind = "u8", code = "mode", about = "what kind of program it is" },
            { name = "rate_nl_per_day", kind = "u32", unit = "nl/d", about = "the volume of a day on average over a week, programmed doses included" },
            { name = "steps_per_day", kind = "u32", unit = "steps", about = "whole motor steps of such a day" },
            { name = "low_reservoir_in_s", kind = "u32", unit = "s", about = "until the low level, at the program's own flow; FFFFFFFF = never" },
            { name = "low_reservoir_unix_s", kind = "u32", unit = "s", about = "when that is, Unix time in UTC; FFFFFFFF = unknown" },
            { name = "warnings", kind = "u8", flags = "warnings", about = "what a clinician should be told; unknown bits are to be shown" },
            { name = "window_peak_nl", kind = "u32", unit = "nl", about = "the most in any 24 h, with all boluses that the patient is allowed" },
            { name = "boluses_per_day_max", kind = "u16", unit = "boluses", about = "the most of these in any 24 h" },
            { name = "refill_in_s", kind = "u32", unit = "s", about = "until the low level, if the patient takes all of them; FFFFFFFF = never" },
            { name = "refill_unix_s", kind = "u32", unit = "s", about = "when that is, Unix time in UTC; FFFFFFFF = unknown" },
            { name = "stability_in_s", kind = "u32", unit = "s", about = "until a drug is no longer stable; FFFFFFFF = not known" },
        },
    },
    stage_read_request = {
        grows = false,
        fields = {
            { name = "stage_id", kind = "u32", about = "of PROGRAM_BEGIN's answer" },
            { name = "block", kind = "u8", code = "block", about = "which block of the validated stage" },
            { name = "offset", kind = "u16", unit = "bytes", about = "from which byte of the block on" },
            {
                name = "length",
                kind = "u8",
                minimum = 1,
                maximum = 192,
                unit = "bytes",
                about = "at most so many",
            },
        },
    },
    stage_read_answer = {
        grows = true,
        fields = {
            { name = "block_size", kind = "u16", unit = "bytes", about = "the whole block" },
            { name = "data", kind = "blob", maximum = 192, unit = "bytes", about = "the bytes that were asked for, as far as there are any" },
        },
    },
    program_commit_request = {
        grows = false,
        fields = {
            { name = "stage_id", kind = "u32", about = "of PROGRAM_BEGIN's answer" },
            { name = "crc32", kind = "u32", hex = true, about = "of PROGRAM_VALIDATE's answer" },
            { name = "op_id", kind = "u32", minimum = 1, maximum = 4294967294, about = "the host's id of this intention" },
            { name = "therapy_rev", kind = "u32", about = "the revision of a complete OP_LIST that the host has booked" },
        },
    },
    program_commit_answer = {
        grows = true,
        fields = {
            { name = "op_id", kind = "u32", about = "the command's op id" },
            { name = "state", kind = "u8", code = "op_state", about = "its outcome so far" },
            { name = "flags", kind = "u8", flags = "op_flag", about = "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it" },
            { name = "delivered_min_nl", kind = "u32", unit = "nl", about = "delivered at least" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "delivered at most" },
            { name = "log_sequence", kind = "u32", about = "the log record of this op" },
        },
    },
    program_abort_request = {
        grows = false,
        fields = {
            { name = "stage_id", kind = "u32", about = "of PROGRAM_BEGIN's answer" },
        },
    },
    program_abort_answer = {
        grows = true,
        fields = {},
    },
    stop_request = {
        grows = false,
        fields = {
            { name = "op_id", kind = "u32", minimum = 1, maximum = 4294967294, about = "the host's id of this intention" },
            { name = "therapy_rev", kind = "u32", about = "the revision of a complete OP_LIST that the host has booked; any is taken" },
        },
    },
    stop_answer = {
        grows = true,
        fields = {
            { name = "op_id", kind = "u32", about = "the command's op id" },
            { name = "state", kind = "u8", code = "op_state", about = "its outcome so far" },
            { name = "flags", kind = "u8", flags = "op_flag", about = "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it" },
            { name = "delivered_min_nl", kind = "u32", unit = "nl", about = "delivered at least" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "delivered at most" },
            { name = "log_sequence", kind = "u32", about = "the log record of this op" },
            { name = "target_op_id", kind = "u32", about = "the op that was ended; 0 = none was running" },
            { name = "target_min_nl", kind = "u32", unit = "nl", about = "it delivered at least" },
            { name = "target_max_nl", kind = "u32", unit = "nl", about = "it delivered at most" },
            { name = "target_reason", kind = "u8", code = "bolus_end_reason", about = "why it ended" },
        },
    },
    start_request = {
        grows = false,
        fields = {
            { name = "op_id", kind = "u32", minimum = 1, maximum = 4294967294, about = "the host's id of this intention" },
            { name = "therapy_rev", kind = "u32", about = "the revision of a complete OP_LIST that the host has booked" },
        },
    },
    start_answer = {
        grows = true,
        fields = {
            { name = "op_id", kind = "u32", about = "the command's op id" },
            { name = "state", kind = "u8", code = "op_state", about = "its outcome so far" },
            { name = "flags", kind = "u8", flags = "op_flag", about = "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it" },
            { name = "delivered_min_nl", kind = "u32", unit = "nl", about = "delivered at least" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "delivered at most" },
            { name = "log_sequence", kind = "u32", about = "the log record of this op" },
        },
    },
    bolus_prepare_request = {
        grows = false,
        fields = {
            { name = "kind", kind = "u8", code = "bolus_kind", about = "SINGLE, PRIMING or BRIDGE; the others begin otherwise" },
            { name = "volume_nl", kind = "u32", unit = "nl", about = "the volume; PRIMING, BRIDGE: 0 = what the pump computes" },
            { name = "volume_complement", kind = "u32", complement_of = "volume_nl", about = "volume_nl with every bit turned" },
            { name = "duration_s", kind = "u32", unit = "s", about = "over how long; PRIMING, BRIDGE: 0 = what the pump computes" },
        },
    },
    bolus_prepare_answer = {
        grows = true,
        fields = {
            { name = "bolus_id", kind = "u32", about = "names the prepared bolus; never used again" },
            { name = "volume_nl", kind = "u32", unit = "nl", about = "the volume in whole motor steps: EXECUTE quotes this one" },
            { name = "duration_s", kind = "u32", unit = "s", about = "the duration" },
            { name = "steps", kind = "u32", unit = "steps", about = "motor steps" },
            { name = "lease_s", kind = "u16", unit = "s", about = "how long EXECUTE may take to come" },
            { name = "available_nl", kind = "u32", unit = "nl", about = "the most that the limits would admit now" },
        },
    },
    bolus_execute_request = {
        grows = false,
        fields = {
            { name = "bolus_id", kind = "u32", about = "of PREPARE's answer" },
            { name = "volume_nl", kind = "u32", unit = "nl", about = "of PREPARE's answer" },
            { name = "volume_complement", kind = "u32", complement_of = "volume_nl", about = "volume_nl with every bit turned" },
            { name = "duration_s", kind = "u32", unit = "s", about = "of PREPARE's answer" },
            { name = "op_id", kind = "u32", minimum = 1, maximum = 4294967294, about = "the host's id of this intention" },
            { name = "therapy_rev", kind = "u32", about = "the revision of a complete OP_LIST that the host has booked" },
        },
    },
    bolus_execute_answer = {
        grows = true,
        fields = {
            { name = "op_id", kind = "u32", about = "the command's op id" },
            { name = "state", kind = "u8", code = "op_state", about = "its outcome so far" },
            { name = "flags", kind = "u8", flags = "op_flag", about = "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it" },
            { name = "delivered_min_nl", kind = "u32", unit = "nl", about = "delivered at least" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "delivered at most" },
            { name = "log_sequence", kind = "u32", about = "the log record of this op" },
            { name = "bolus_id", kind = "u32", about = "the bolus that runs" },
            { name = "volume_nl", kind = "u32", unit = "nl", about = "its volume" },
            { name = "duration_s", kind = "u32", unit = "s", about = "its duration" },
        },
    },
    bolus_cancel_request = {
        grows = false,
        fields = {
            { name = "bolus_id", kind = "u32", about = "the bolus to end" },
            { name = "op_id", kind = "u32", minimum = 1, maximum = 4294967294, about = "the host's id of this intention" },
            { name = "therapy_rev", kind = "u32", about = "the revision of a complete OP_LIST that the host has booked; any is taken" },
        },
    },
    bolus_cancel_answer = {
        grows = true,
        fields = {
            { name = "op_id", kind = "u32", about = "the command's op id" },
            { name = "state", kind = "u8", code = "op_state", about = "its outcome so far" },
            { name = "flags", kind = "u8", flags = "op_flag", about = "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it" },
            { name = "delivered_min_nl", kind = "u32", unit = "nl", about = "delivered at least" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "delivered at most" },
            { name = "log_sequence", kind = "u32", about = "the log record of this op" },
            { name = "target_op_id", kind = "u32", about = "the op that was ended; 0 = none was running" },
            { name = "target_min_nl", kind = "u32", unit = "nl", about = "it delivered at least" },
            { name = "target_max_nl", kind = "u32", unit = "nl", about = "it delivered at most" },
            { name = "target_reason", kind = "u8", code = "bolus_end_reason", about = "why it ended" },
        },
    },
    patient_bolus_request = {
        grows = false,
        fields = {
            { name = "op_id", kind = "u32", minimum = 1, maximum = 4294967294, about = "the host's id of this intention" },
            { name = "therapy_rev", kind = "u32", about = "the revision of a complete OP_LIST that the host has booked" },
        },
    },
    patient_bolus_answer = {
        grows = true,
        fields = {
            { name = "op_id", kind = "u32", about = "the command's op id" },
            { name = "state", kind = "u8", code = "op_state", about = "its outcome so far" },
            { name = "flags", kind = "u8", flags = "op_flag", about = "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it" },
            { name = "delivered_min_nl", kind = "u32", unit = "nl", about = "delivered at least" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "delivered at most" },
            { name = "log_sequence", kind = "u32", about = "the log record of this op" },
            { name = "bolus_id", kind = "u32", about = "the bolus that runs; FFFFFFFF in a REPEATED answer" },
            { name = "volume_nl", kind = "u32", unit = "nl", about = "its volume; FFFFFFFF in a REPEATED answer" },
            { name = "duration_s", kind = "u32", unit = "s", about = "its duration; FFFFFFFF in a REPEATED answer" },
        },
    },
    alarm_list_request = {
        grows = false,
        fields = {
            { name = "from_instance", kind = "u16", about = "lists alarms from this instance on; 0 = from the first" },
        },
    },
    alarm_entry = {
        grows = false,
        fields = {
            { name = "instance", kind = "u16", about = "names this alarm" },
            { name = "type", kind = "u16", code = "alarm_type", about = "what is the matter" },
            { name = "priority", kind = "u8", code = "priority", about = "how bad" },
            { name = "state", kind = "u8", code = "alarm_state", about = "raised, acknowledged or cleared" },
            { name = "elapsed_s", kind = "u32", unit = "s", about = "when it was raised, in elapsed time" },
            { name = "steps", kind = "u64", unit = "steps", about = "lifetime motor steps then" },
            { name = "rate_nl_per_day", kind = "u32", unit = "nl/d", about = "the base rate then" },
            { name = "reservoir_nl", kind = "u32", unit = "nl", about = "the reservoir then" },
            { name = "battery_mv", kind = "u16", unit = "mV", about = "the battery then; FFFF = not known" },
            { name = "last_op_id", kind = "u32", about = "the last op before it; 0 = none" },
            { name = "silent_until_s", kind = "u32", unit = "s", about = "silenced until this elapsed time; 0 = not silenced" },
        },
    },
    alarm_list_answer = {
        grows = true,
        fields = {
            { name = "total", kind = "u8", unit = "alarms", about = "how many are held in all" },
            { name = "alarms", kind = "records", of = "alarm_entry", maximum = 6, about = "by rising instance" },
        },
    },
    alarm_ack_request = {
        grows = false,
        fields = {
            { name = "instance", kind = "u16", about = "the alarm that a person has seen" },
        },
    },
    alarm_ack_answer = {
        grows = true,
        fields = {
            { name = "instance", kind = "u16", about = "the alarm" },
            { name = "state", kind = "u8", code = "alarm_state", about = "its state now" },
        },
    },
    alarm_clear_request = {
        grows = false,
        fields = {
            { name = "instance", kind = "u16", about = "the alarm to end" },
        },
    },
    alarm_clear_answer = {
        grows = true,
        fields = {
            { name = "instance", kind = "u16", about = "the alarm" },
            { name = "state", kind = "u8", code = "alarm_state", about = "its state now" },
            { name = "raised_again", kind = "u16", about = "the new instance, for its cause is still there; 0 = the cause is gone" },
        },
    },
    alarm_snapshot_request = {
        grows = false,
        fields = {
            { name = "instance", kind = "u16", about = "the alarm" },
        },
    },
    alarm_snapshot_answer = {
        grows = true,
        fields = {
            { name = "instance", kind = "u16", about = "names this alarm" },
            { name = "type", kind = "u16", code = "alarm_type", about = "what is the matter" },
            { name = "priority", kind = "u8", code = "priority", about = "how bad" },
            { name = "state", kind = "u8", code = "alarm_state", about = "raised, acknowledged or cleared" },
            { name = "elapsed_s", kind = "u32", unit = "s", about = "when it was raised, in elapsed time" },
            { name = "steps", kind = "u64", unit = "steps", about = "lifetime motor steps then" },
            { name = "rate_nl_per_day", kind = "u32", unit = "nl/d", about = "the base rate then" },
            { name = "reservoir_nl", kind = "u32", unit = "nl", about = "the reservoir then" },
            { name = "battery_mv", kind = "u16", unit = "mV", about = "the battery then; FFFF = not known" },
            { name = "last_op_id", kind = "u32", about = "the last op before it; 0 = none" },
            { name = "silent_until_s", kind = "u32", unit = "s", about = "silenced until this elapsed time; 0 = not silenced" },
        },
    },
    alarm_silence_request = {
        grows = false,
        fields = {
            { name = "instance", kind = "u16", about = "the alarm that is to be silent for a while" },
        },
    },
    alarm_silence_answer = {
        grows = true,
        fields = {
            { name = "instance", kind = "u16", about = "the alarm" },
            { name = "silent_until_s", kind = "u32", unit = "s", about = "the elapsed time until which it is silent; its state is as before" },
        },
    },
    log_status_request = {
        grows = false,
        fields = {},
    },
    log_status_answer = {
        grows = true,
        fields = {
            { name = "epoch", kind = "u16", about = "the log's epoch" },
            { name = "first", kind = "u32", about = "the first sequence that is held; 0 = the log is empty" },
            { name = "last", kind = "u32", about = "the last sequence; 0 = the log is empty" },
            { name = "capacity", kind = "u32", unit = "records", about = "how many records it holds" },
        },
    },
    log_read_request = {
        grows = false,
        fields = {
            { name = "epoch", kind = "u16", about = "the epoch that the host reads" },
            { name = "from_sequence", kind = "u32", about = "the first record wanted" },
            {
                name = "maximum",
                kind = "u8",
                minimum = 1,
                maximum = 4,
                unit = "records",
                about = "at most so many records",
            },
        },
    },
    log_record = {
        grows = false,
        crc32 = true,
        fields = {
            { name = "sequence", kind = "u32", about = "rises by one, never begins again" },
            { name = "epoch", kind = "u16", about = "new when the log is begun anew" },
            { name = "boot", kind = "u16", about = "the number of the boot" },
            { name = "elapsed_s", kind = "u32", unit = "s", about = "elapsed time" },
            { name = "rtc_unix_s", kind = "u32", unit = "s", about = "Unix time in UTC; 0 = the clock is not set" },
            { name = "type", kind = "u16", about = "LogType; skip one that you do not know" },
            { name = "flags", kind = "u8", about = "none defined" },
            { name = "data_length", kind = "u8", maximum = 20, unit = "bytes", about = "how many bytes of data count" },
            { name = "op_id", kind = "u32", about = "the op that it belongs to; 0 = none" },
            { name = "data", kind = "raw", size = 20, about = "by type, filled up with zeros" },
        },
    },
    log_read_answer = {
        grows = true,
        fields = {
            { name = "next_sequence", kind = "u32", about = "what to ask for next" },
            { name = "records", kind = "records", of = "log_record", maximum = 4, about = "by rising sequence" },
        },
    },
    log_find_by_elapsed_request = {
        grows = false,
        fields = {
            { name = "epoch", kind = "u16", about = "the epoch that the host reads" },
            { name = "elapsed_s", kind = "u32", unit = "s", about = "elapsed time" },
        },
    },
    log_find_by_elapsed_answer = {
        grows = true,
        fields = {
            { name = "sequence", kind = "u32", about = "the first record held of that time or later; the next one to come if there is none" },
        },
    },
    subscribe_request = {
        grows = false,
        fields = {
            { name = "fields", kind = "u32", flags = "telemetry_field", about = "what each event is to tell; 0: nothing but its head; unknown bits are NAK 31" },
            { name = "period_s", kind = "u16", minimum = 1, unit = "s", about = "between two events, within the limits of CAPS" },
        },
    },
    subscribe_answer = {
        grows = true,
        fields = {
            { name = "next_sequence", kind = "u16", about = "the stream sequence of the next event, which follows at once" },
        },
    },
    unsubscribe_request = {
        grows = false,
        fields = {},
    },
    unsubscribe_answer = {
        grows = true,
        fields = {
            { name = "next_sequence", kind = "u16", about = "what the next event would have had: events up to there have been sent or dropped" },
        },
    },
    reset_flags_request = {
        grows = false,
        fields = {
            { name = "changed", kind = "u32", flags = "changed_flag", about = "which flags; unknown bits are skipped" },
            { name = "log_epoch", kind = "u16", about = "the epoch of the log that the host has read" },
            { name = "log_sequence", kind = "u32", about = "the record up to which it has: flags that were set again since stay set" },
        },
    },
    reset_flags_answer = {
        grows = true,
        fields = {
            { name = "changed", kind = "u32", flags = "changed_flag", about = "the flags of the role that are still set" },
        },
    },
    time_read_request = {
        grows = false,
        fields = {},
    },
    time_read_answer = {
        grows = true,
        fields = {
            { name = "elapsed_s", kind = "u32", unit = "s", about = "elapsed time since the first power-up; never goes back" },
            { name = "rtc_unix_s", kind = "u32", unit = "s", about = "Unix time in UTC; 0 = the clock is not set" },
            { name = "offset_min", kind = "i16", unit = "min", about = "local time minus UTC" },
        },
    },
    time_set_request = {
        grows = false,
        fields = {
            { name = "unix_s", kind = "u32", unit = "s", about = "Unix time in UTC" },
            { name = "offset_min", kind = "i16", unit = "min", about = "local time minus UTC" },
            { name = "op_id", kind = "u32", minimum = 1, maximum = 4294967294, about = "the host's id of this intention" },
            { name = "therapy_rev", kind = "u32", about = "the revision of a complete OP_LIST that the host has booked" },
        },
    },
    time_set_answer = {
        grows = true,
        fields = {
            { name = "op_id", kind = "u32", about = "the command's op id" },
            { name = "state", kind = "u8", code = "op_state", about = "its outcome so far" },
            { name = "flags", kind = "u8", flags = "op_flag", about = "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it" },
            { name = "delivered_min_nl", kind = "u32", unit = "nl", about = "delivered at least" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "delivered at most" },
            { name = "log_sequence", kind = "u32", about = "the log record of this op" },
            { name = "base_rate_nl_per_day", kind = "u32", unit = "nl/d", about = "the base rate that flows now, by the new clock" },
        },
    },
    selftest_request = {
        grows = false,
        fields = {},
    },
    selftest_answer = {
        grows = true,
        fields = {
            { name = "failed", kind = "u8", flags = "self_test_part", about = "what failed; 0 = all is well; unknown bits are to be shown" },
        },
    },
    refill_begin_request = {
        grows = false,
        fields = {},
    },
    refill_begin_answer = {
        grows = true,
        fields = {
            { name = "refill_id", kind = "u32", about = "names this refill; an older one, of any session, is void" },
            { name = "computed_nl", kind = "u32", unit = "nl", about = "what the reservoir should hold, to compare with what is withdrawn" },
        },
    },
    refill_drug = {
        grows = false,
        fields = {
            { name = "name", kind = "text", size = 16, about = "the drug" },
            { name = "concentration_ng_per_ml", kind = "u32", unit = "ng/mL", about = "its concentration in what was filled in" },
        },
    },
    refill_commit_request = {
        grows = false,
        fields = {
            { name = "refill_id", kind = "u32", about = "of REFILL_BEGIN's answer" },
            { name = "measured_nl", kind = "u32", unit = "nl", about = "what was withdrawn" },
            { name = "volume_nl", kind = "u32", unit = "nl", about = "what the reservoir holds now" },
            { name = "volume_complement", kind = "u32", complement_of = "volume_nl", about = "volume_nl with every bit turned" },
            { name = "drugs", kind = "places", of = "refill_drug", count = 5, about = "used places first; all empty = not said" },
            { name = "op_id", kind = "u32", minimum = 1, maximum = 4294967294, about = "the host's id of this intention" },
            { name = "therapy_rev", kind = "u32", about = "the revision of a complete OP_LIST that the host has booked" },
        },
    },
    refill_commit_answer = {
        grows = true,
        fields = {
            { name = "op_id", kind = "u32", about = "the command's op id" },
            { name = "state", kind = "u8", code = "op_state", about = "its outcome so far" },
            { name = "flags", kind = "u8", flags = "op_flag", about = "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it" },
            { name = "delivered_min_nl", kind = "u32", unit = "nl", about = "delivered at least" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "delivered at most" },
            { name = "log_sequence", kind = "u32", about = "the log record of this op" },
        },
    },
    op_query_request = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", code = "role", about = "whose op" },
            { name = "op_id", kind = "u32", minimum = 1, maximum = 4294967294, about = "the op in question" },
        },
    },
    op_query_answer = {
        grows = true,
        fields = {
            { name = "epoch", kind = "u16", about = "the log's epoch" },
            { name = "role", kind = "u8", code = "role", about = "whose op" },
            { name = "op_high", kind = "u32", about = "the highest op id that this role has used; 0 = none" },
            { name = "state", kind = "u8", code = "op_state", about = "what became of it; without an entry, the fields below are 0" },
            { name = "op_id", kind = "u32", about = "the op in question" },
            { name = "host_id", kind = "u32", hex = true, about = "which host's" },
            { name = "opcode", kind = "u16", hex = true, about = "the command's opcode" },
            { name = "payload_hash", kind = "raw", size = 8, about = "first 8 bytes of SHA-256 over opcode and payload without therapy_rev" },
            { name = "delivered_min_nl", kind = "u32", unit = "nl", about = "delivered at least" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "delivered at most" },
            { name = "log_sequence", kind = "u32", about = "the log record of this op" },
        },
    },
    op_list_request = {
        grows = false,
        fields = {
            { name = "page", kind = "u8", about = "from 0" },
        },
    },
    op_entry = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", code = "role", about = "whose op" },
            { name = "op_id", kind = "u32", about = "its id" },
            { name = "host_id", kind = "u32", hex = true, about = "which host's" },
            { name = "opcode", kind = "u16", hex = true, about = "the command's opcode" },
            { name = "payload_hash", kind = "raw", size = 8, about = "first 8 bytes of SHA-256 over opcode and payload without therapy_rev" },
            { name = "state", kind = "u8", code = "op_state", about = "its outcome" },
            { name = "delivered_min_nl", kind = "u32", unit = "nl", about = "delivered at least" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "delivered at most" },
            { name = "log_sequence", kind = "u32", about = "the log record of this op" },
        },
    },
    op_list_answer = {
        grows = true,
        fields = {
            { name = "epoch", kind = "u16", about = "the log's epoch" },
            { name = "therapy_rev", kind = "u32", about = "the current revision; a list whose pages differ in it is read again" },
            { name = "page", kind = "u8", about = "this page, from 0" },
            { name = "pages", kind = "u8", about = "how many pages there are, at least 1" },
            { name = "clinician_op_high", kind = "u32", about = "the highest op id that clinicians have used; 0 = none" },
            { name = "patient_op_high", kind = "u32", about = "the highest op id that patients have used; 0 = none" },
            { name = "ops", kind = "records", of = "op_entry", maximum = 6, about = "of all roles, oldest first" },
        },
    },
    stream_event = {
        grows = true,
        fields = {
            { name = "stream_sequence", kind = "u16", about = "rises by one with every event of the session, sent or dropped; 0 follows FFFF" },
            { name = "elapsed_s", kind = "u32", unit = "s", about = "elapsed time" },
            { name = "changed", kind = "u32", flags = "changed_flag", about = "the latched flags of the session's role" },
            { name = "log_epoch", kind = "u16", about = "the log's epoch" },
            { name = "log_last", kind = "u32", about = "the last log sequence; 0 = the log is empty" },
            { name = "fields", kind = "u32", flags = "telemetry_field", about = "which fields follow; those of unknown bits come last" },
            {
                name = "run_state",
                kind = "u8",
                code = "run_state",
                present_in = "fields",
                present = 1,
                about = "whether therapy runs",
            },
            {
                name = "stop_reason",
                kind = "u8",
                code = "stop_reason",
                present_in = "fields",
                present = 1,
                about = "why it does not",
            },
            {
                name = "alarms_raised",
                kind = "u8",
                present_in = "fields",
                present = 2,
                unit = "alarms",
                about = "alarms that are not cleared",
            },
            {
                name = "alarms_unacknowledged",
                kind = "u8",
                present_in = "fields",
                present = 2,
                unit = "alarms",
                about = "alarms that nobody has acknowledged",
            },
            { name = "therapy_rev", kind = "u32", present_in = "fields", present = 4, about = "the current revision; for display only, quote none but OP_LIST's" },
            {
                name = "base_rate_nl_per_day",
                kind = "u32",
                present_in = "fields",
                present = 8,
                unit = "nl/d",
                about = "the base rate that flows now; 0 while stopped",
            },
            {
                name = "programmed_rate_nl_per_day",
                kind = "u32",
                present_in = "fields",
                present = 8,
                unit = "nl/d",
                about = "the base rate that START resumes",
            },
            {
                name = "reservoir_nl",
                kind = "u32",
                present_in = "fields",
                present = 16,
                unit = "nl",
                about = "the reservoir's content as computed from motor steps",
            },
            { name = "bolus_id", kind = "u32", present_in = "fields", present = 32, about = "the running bolus; 0 = none" },
            {
                name = "bolus_volume_nl",
                kind = "u32",
                present_in = "fields",
                present = 32,
                unit = "nl",
                about = "its volume",
            },
            {
                name = "bolus_delivered_nl",
                kind = "u32",
                present_in = "fields",
                present = 32,
                unit = "nl",
                about = "what it has delivered so far",
            },
            {
                name = "bolus_remaining_s",
                kind = "u32",
                present_in = "fields",
                present = 32,
                unit = "s",
                about = "until its end",
            },
            {
                name = "delivered_nl",
                kind = "u64",
                present_in = "fields",
                present = 64,
                unit = "nl",
                about = "delivered in the pump's life",
            },
            { name = "boot", kind = "u16", present_in = "fields", present = 128, about = "the number of this boot" },
            {
                name = "rtc_unix_s",
                kind = "u32",
                present_in = "fields",
                present = 256,
                unit = "s",
                about = "Unix time in UTC; 0 = the clock is not set",
            },
            {
                name = "offset_min",
                kind = "i16",
                present_in = "fields",
                present = 256,
                unit = "min",
                about = "local time less UTC",
            },
            {
                name = "idle_mv",
                kind = "u16",
                present_in = "fields",
                present = 512,
                unit = "mV",
                about = "the cell at rest",
            },
            {
                name = "loaded_mv",
                kind = "u16",
                present_in = "fields",
                present = 512,
                unit = "mV",
                about = "the cell under the motor's load",
            },
            {
                name = "temperature_cc",
                kind = "i16",
                present_in = "fields",
                present = 512,
                unit = "0.01 C",
                about = "the temperature",
            },
        },
    },
    drug_entry = {
        grows = false,
        fields = {
            { name = "name", kind = "text", size = 16, about = "the drug" },
            { name = "concentration_ng_per_ml", kind = "u32", unit = "ng/mL", about = "for display: the pump meters volume" },
            { name = "stability_days", kind = "u16", unit = "days", about = "how long it may stay in the reservoir; 0 = not said" },
        },
    },
    drugs_block = {
        grows = false,
        fields = {
            { name = "drugs", kind = "places", of = "drug_entry", count = 5, about = "five places, used or empty" },
        },
    },
    infusion_block = {
        grows = false,
        fields = {
            { name = "mode", kind = "u8", code = "mode", about = "what kind of program it is" },
            { name = "rate_nl_per_day", kind = "u32", unit = "nl/d", about = "SIMPLE_CONTINUOUS: the rate; PERIODIC_BOLUS: between doses, 0 = none; FLEX: while the clock is lost" },
            { name = "dose_volume_nl", kind = "u32", unit = "nl", about = "SINGLE_BOLUS, PERIODIC_BOLUS: a dose" },
            { name = "dose_duration_s", kind = "u32", unit = "s", about = "SINGLE_BOLUS, PERIODIC_BOLUS: over how long it is given" },
            { name = "dose_interval_s", kind = "u32", unit = "s", about = "PERIODIC_BOLUS: from the start of one dose to that of the next" },
        },
    },
    change_entry = {
        grows = false,
        fields = {
            { name = "start_min", kind = "u16", unit = "min", about = "minute of the day, from 0 to 1439" },
            { name = "rate_nl_per_day", kind = "u32", unit = "nl/d", about = "the rate from then on, until the next change" },
        },
    },
    schedule_block = {
        grows = false,
        fields = {
            { name = "monday", kind = "places", of = "change_entry", count = 13, about = "thirteen places, used or empty; used places come first, the first of them at minute 0" },
            { name = "tuesday", kind = "places", of = "change_entry", count = 13, about = "thirteen places, used or empty; used places come first, the first of them at minute 0" },
            { name = "wednesday", kind = "places", of = "change_entry", count = 13, about = "thirteen places, used or empty; used places come first, the first of them at minute 0" },
            { name = "thursday", kind = "places", of = "change_entry", count = 13, about = "thirteen places, used or empty; used places come first, the first of them at minute 0" },
            { name = "friday", kind = "places", of = "change_entry", count = 13, about = "thirteen places, used or empty; used places come first, the first of them at minute 0" },
            { name = "saturday", kind = "places", of = "change_entry", count = 13, about = "thirteen places, used or empty; used places come first, the first of them at minute 0" },
            { name = "sunday", kind = "places", of = "change_entry", count = 13, about = "thirteen places, used or empty; used places come first, the first of them at minute 0" },
        },
    },
    patient_block = {
        grows = false,
        fields = {
            { name = "volume_nl", kind = "u32", unit = "nl", about = "its volume" },
            { name = "duration_s", kind = "u32", unit = "s", about = "over how long it is given" },
            { name = "lockout_s", kind = "u32", unit = "s", about = "the least time from the start of one to that of the next" },
            { name = "window_s", kind = "u32", unit = "s", about = "the time in which they are counted" },
            { name = "activations_max", kind = "u16", unit = "boluses", about = "the most of them in any such time" },
        },
    },
    limits_block = {
        grows = false,
        fields = {
            { name = "rate_max_nl_per_day", kind = "u32", unit = "nl/d", about = "the greatest base rate that may be programmed" },
            { name = "bolus_volume_max_nl", kind = "u32", unit = "nl", about = "the greatest bolus that may be prepared or programmed" },
            { name = "window_max_nl", kind = "u32", unit = "nl", about = "the most volume in any 24 h, base and boluses together" },
        },
    },
    alarms_block = {
        grows = false,
        fields = {
            { name = "low_reservoir_nl", kind = "u32", unit = "nl", about = "the level of the low reservoir alarm" },
            { name = "critical_repeat_min", kind = "u16", unit = "min", about = "a critical alarm: after how long it sounds again; 0 = as the pump does by itself" },
            { name = "non_critical_repeat_min", kind = "u16", unit = "min", about = "a non-critical alarm: after how long it sounds again; 0 = as the pump does by itself" },
        },
    },
    catheter_block = {
        grows = false,
        fields = {
            { name = "catheter_nl", kind = "u32", unit = "nl", about = "what the implanted catheter holds, as the clinician knows it; 0 = unknown" },
        },
    },
    boot_data = {
        grows = false,
        fields = {
            { name = "reset_reason", kind = "u8", code = "reset_reason", about = "why it started" },
            { name = "memory", kind = "u8", code = "memory_condition", about = "how the memory was found" },
            { name = "generation", kind = "u32", about = "generation of the control record" },
        },
    },
    therapy_started_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "whose command it was (Role); 0 = the pump's own doing" },
            { name = "host_id", kind = "u32", hex = true, about = "whose command it was; 0 = the pump's own doing, or an INSECURE session" },
            { name = "rate_nl_per_day", kind = "u32", unit = "nl/d", about = "the base rate" },
        },
    },
    therapy_stopped_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "whose command it was (Role); 0 = the pump's own doing" },
            { name = "host_id", kind = "u32", hex = true, about = "whose command it was; 0 = the pump's own doing, or an INSECURE session" },
            { name = "reason", kind = "u8", code = "stop_reason", about = "why" },
            { name = "bolus_id", kind = "u32", about = "the bolus that was running; 0 = none" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "what it delivered at most" },
        },
    },
    bolus_started_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "whose command it was (Role); 0 = the pump's own doing" },
            { name = "host_id", kind = "u32", hex = true, about = "whose command it was; 0 = the pump's own doing, or an INSECURE session" },
            { name = "bolus_id", kind = "u32", about = "the bolus" },
            { name = "volume_nl", kind = "u32", unit = "nl", about = "its volume" },
            { name = "duration_s", kind = "u32", unit = "s", about = "its duration" },
            { name = "kind", kind = "u8", code = "bolus_kind", about = "what it is for" },
        },
    },
    bolus_ended_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "whose bolus it was (Role)" },
            { name = "host_id", kind = "u32", hex = true, about = "whose bolus it was" },
            { name = "reason", kind = "u8", code = "bolus_end_reason", about = "why it ended" },
            { name = "bolus_id", kind = "u32", about = "the bolus" },
            { name = "delivered_min_nl", kind = "u32", unit = "nl", about = "delivered at least" },
            { name = "delivered_max_nl", kind = "u32", unit = "nl", about = "delivered at most" },
        },
    },
    bolus_cancelled_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "whose command it was (Role); 0 = the pump's own doing" },
            { name = "host_id", kind = "u32", hex = true, about = "whose command it was; 0 = the pump's own doing, or an INSECURE session" },
            { name = "bolus_id", kind = "u32", about = "the bolus that was cancelled" },
            { name = "target_op_id", kind = "u32", about = "the op that had started it" },
        },
    },
    alarm_raised_data = {
        grows = false,
        fields = {
            { name = "instance", kind = "u16", about = "the alarm" },
            { name = "type", kind = "u16", code = "alarm_type", about = "what is the matter" },
            { name = "priority", kind = "u8", code = "priority", about = "how bad" },
            { name = "reservoir_nl", kind = "u32", unit = "nl", about = "the reservoir then" },
            { name = "steps", kind = "u64", unit = "steps", about = "lifetime motor steps then" },
        },
    },
    alarm_acknowledged_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "whose command it was (Role); 0 = the pump's own doing" },
            { name = "host_id", kind = "u32", hex = true, about = "whose command it was; 0 = the pump's own doing, or an INSECURE session" },
            { name = "instance", kind = "u16", about = "the alarm" },
            { name = "type", kind = "u16", code = "alarm_type", about = "what is the matter" },
        },
    },
    program_changed_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "whose command it was (Role); 0 = the pump's own doing" },
            { name = "host_id", kind = "u32", hex = true, about = "whose command it was; 0 = the pump's own doing, or an INSECURE session" },
            { name = "crc32", kind = "u32", hex = true, about = "of the new program's canonical image" },
            { name = "mode", kind = "u8", code = "mode", about = "what kind of program it is" },
            { name = "rate_nl_per_day", kind = "u32", unit = "nl/d", about = "the volume of a day on average over a week" },
        },
    },
    session_taken_over_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "the role whose place was taken" },
            { name = "host_id", kind = "u32", hex = true, about = "who took it" },
            { name = "from_host_id", kind = "u32", hex = true, about = "whose it was" },
        },
    },
    authentication_failed_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "the role of the last wrong cryptogram; 0 = there was none" },
            { name = "port", kind = "u8", about = "the port of the last failure" },
            { name = "wrong_cryptograms", kind = "u16", about = "AUTH requests with a wrong cryptogram" },
            { name = "wrong_tags", kind = "u32", unit = "frames", about = "secured frames whose tag did not verify" },
        },
    },
    keys_replaced_data = {
        grows = false,
        fields = {
            { name = "test_keys", kind = "u8", maximum = 1, about = "1: the new keys are the published ones" },
        },
    },
    alarm_cleared_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "who cleared it (Role); 0 = its cause has gone" },
            { name = "host_id", kind = "u32", hex = true, about = "whose command it was; 0 = the pump's own doing, or an INSECURE session" },
            { name = "instance", kind = "u16", about = "the alarm" },
            { name = "type", kind = "u16", code = "alarm_type", about = "what was the matter" },
        },
    },
    alarm_silenced_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "whose command it was (Role); 0 = the pump's own doing" },
            { name = "host_id", kind = "u32", hex = true, about = "whose command it was; 0 = the pump's own doing, or an INSECURE session" },
            { name = "instance", kind = "u16", about = "the alarm that is silent for a while" },
            { name = "type", kind = "u16", code = "alarm_type", about = "what is the matter" },
        },
    },
    delivered_data = {
        grows = false,
        fields = {
            { name = "steps", kind = "u64", unit = "steps", about = "lifetime motor steps then" },
            { name = "volume_nl", kind = "u32", unit = "nl", about = "what was delivered since the last such record" },
        },
    },
    stall_ended_data = {
        grows = false,
        fields = {
            { name = "instance", kind = "u16", about = "the alarm of this stall; 0 = none stands" },
            { name = "pulses", kind = "u64", unit = "steps", about = "lifetime motor steps commanded while a stalled rotor was known" },
        },
    },
    refilled_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "whose command it was (Role); 0 = the pump's own doing" },
            { name = "host_id", kind = "u32", hex = true, about = "whose command it was; 0 = the pump's own doing, or an INSECURE session" },
            { name = "computed_nl", kind = "u32", unit = "nl", about = "what should have been left, as computed" },
            { name = "measured_nl", kind = "u32", unit = "nl", about = "what was withdrawn" },
            { name = "volume_nl", kind = "u32", unit = "nl", about = "what the reservoir holds now" },
        },
    },
    time_set_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "whose command it was (Role); 0 = the pump's own doing" },
            { name = "host_id", kind = "u32", hex = true, about = "whose command it was; 0 = the pump's own doing, or an INSECURE session" },
            { name = "unix_s", kind = "u32", unit = "s", about = "the new time: Unix time in UTC" },
            { name = "offset_min", kind = "i16", unit = "min", about = "local time minus UTC" },
            { name = "rate_nl_per_day", kind = "u32", unit = "nl/d", about = "the base rate until then" },
        },
    },
    memory_repaired_data = {
        grows = false,
        fields = {
            { name = "repairs", kind = "u32", unit = "repairs", about = "how many copies were made anew" },
        },
    },
    program_begun_data = {
        grows = false,
        fields = {
            { name = "role", kind = "u8", maximum = 3, about = "whose command it was (Role); 0 = the pump's own doing" },
            { name = "host_id", kind = "u32", hex = true, about = "whose command it was; 0 = the pump's own doing, or an INSECURE session" },
            { name = "crc32", kind = "u32", hex = true, about = "of the program that stands still until another is committed" },
        },
    },
    corrupt_data = {
        grows = false,
        fields = {},
    },
}
local PAYLOADS = {
    [0x101] = "hello_request",
    [0x8101] = "hello_answer",
    [0x102] = "open_request",
    [0x8102] = "open_answer",
    [0x103] = "auth_request",
    [0x8103] = "auth_answer",
    [0x104] = "close_request",
    [0x8104] = "close_answer",
    [0x105] = "keepalive_request",
    [0x8105] = "keepalive_answer",
    [0x106] = "caps_request",
    [0x8106] = "caps_answer",
    [0x107] = "link_stats_request",
    [0x8107] = "link_stats_answer",
    [0x201] = "status_request",
    [0x8201] = "status_answer",
    [0x28201] = "reduced_status_answer",
    [0x202] = "ident_request",
    [0x8202] = "ident_answer",
    [0x203] = "therapy_read_request",
    [0x8203] = "therapy_read_answer",
    [0x204] = "limits_request",
    [0x8204] = "limits_answer",
    [0x205] = "counters_request",
    [0x8205] = "counters_answer",
    [0x206] = "battery_request",
    [0x8206] = "battery_answer",
    [0x207] = "reservoir_request",
    [0x8207] = "reservoir_answer",
    [0x301] = "program_begin_request",
    [0x8301] = "program_begin_answer",
    [0x302] = "program_write_request",
    [0x8302] = "program_write_answer",
    [0x303] = "program_validate_request",
    [0x8303] = "program_validate_answer",
    [0x304] = "stage_read_request",
    [0x8304] = "stage_read_answer",
    [0x305] = "program_commit_request",
    [0x8305] = "program_commit_answer",
    [0x306] = "program_abort_request",
    [0x8306] = "program_abort_answer",
    [0x401] = "stop_request",
    [0x8401] = "stop_answer",
    [0x402] = "start_request",
    [0x8402] = "start_answer",
    [0x403] = "bolus_prepare_request",
    [0x8403] = "bolus_prepare_answer",
    [0x404] = "bolus_execute_request",
    [0x8404] = "bolus_execute_answer",
    [0x405] = "bolus_cancel_request",
    [0x8405] = "bolus_cancel_answer",
    [0x406] = "patient_bolus_request",
    [0x8406] = "patient_bolus_answer",
    [0x501] = "alarm_list_request",
    [0x8501] = "alarm_list_answer",
    [0x502] = "alarm_ack_request",
    [0x8502] = "alarm_ack_answer",
    [0x503] = "alarm_clear_request",
    [0x8503] = "alarm_clear_answer",
    [0x504] = "alarm_snapshot_request",
    [0x8504] = "alarm_snapshot_answer",
    [0x505] = "alarm_silence_request",
    [0x8505] = "alarm_silence_answer",
    [0x601] = "log_status_request",
    [0x8601] = "log_status_answer",
    [0x602] = "log_read_request",
    [0x8602] = "log_read_answer",
    [0x603] = "log_find_by_elapsed_request",
    [0x8603] = "log_find_by_elapsed_answer",
    [0x701] = "subscribe_request",
    [0x8701] = "subscribe_answer",
    [0x702] = "unsubscribe_request",
    [0x8702] = "unsubscribe_answer",
    [0x703] = "reset_flags_request",
    [0x8703] = "reset_flags_answer",
    [0x801] = "time_read_request",
    [0x8801] = "time_read_answer",
    [0x802] = "time_set_request",
    [0x8802] = "time_set_answer",
    [0x901] = "selftest_request",
    [0x8901] = "selftest_answer",
    [0x902] = "refill_begin_request",
    [0x8902] = "refill_begin_answer",
    [0x903] = "refill_commit_request",
    [0x8903] = "refill_commit_answer",
    [0xa01] = "op_query_request",
    [0x8a01] = "op_query_answer",
    [0xa02] = "op_list_request",
    [0x8a02] = "op_list_answer",
    [0x10704] = "stream_event",
}
local REDUCED = { [0x8201] = 2 }
local RECORD = { name = "log_record", type_at = 16, length_at = 19, data_at = 24 }
local RECORD_DATA = {
    [0x01] = "boot_data",
    [0x101] = "therapy_started_data",
    [0x102] = "therapy_stopped_data",
    [0x103] = "bolus_started_data",
    [0x104] = "bolus_ended_data",
    [0x105] = "bolus_cancelled_data",
    [0x201] = "alarm_raised_data",
    [0x202] = "alarm_acknowledged_data",
    [0x106] = "program_changed_data",
    [0x301] = "session_taken_over_data",
    [0x302] = "authentication_failed_data",
    [0x303] = "keys_replaced_data",
    [0x203] = "alarm_cleared_data",
    [0x204] = "alarm_silenced_data",
    [0x107] = "delivered_data",
    [0x205] = "stall_ended_data",
    [0x108] = "refilled_data",
    [0x02] = "time_set_data",
    [0x03] = "memory_repaired_data",
    [0x109] = "program_begun_data",
    [0xffff] = "corrupt_data",
}

local vpump = Proto("vpump", "vpump telemetry and programming")
local bits = bit

-- The fields of the frame itself.

local frame = {
    wire = ProtoField.bytes("vpump.wire", "On the line"),
    operation = ProtoField.uint16("vpump.operation", "Operation", base.HEX, OPERATIONS, nil, "opcode without bit 15"),
    way = ProtoField.string("vpump.way", "Way", base.ASCII, "to or from the pump, where the capture says so"),
    kind = ProtoField.string("vpump.kind", "Kind", base.ASCII, "request, answer or event"),
    resp = ProtoField.bool("vpump.resp", "RESP", 8, nil, 0x01, "an answer"),
    event = ProtoField.bool("vpump.event", "EVENT", 8, nil, 0x02, "an event"),
    retry = ProtoField.bool("vpump.retry", "RETRY", 8, nil, 0x04, "a request, sent again"),
    secured = ProtoField.bool("vpump.secured", "SECURED", 8, nil, 0x08, "the payload is enciphered"),
    major = ProtoField.uint8("vpump.major", "Major version", base.DEC, nil, 0xf0),
    txn = ProtoField.uint8("vpump.txn", "Txn", base.DEC),
    opcode = ProtoField.uint16("vpump.opcode", "Opcode", base.HEX, nil, nil, "as on the line, with bit 15 in answers"),
    address = ProtoField.uint32("vpump.address", "Address", base.HEX, nil, nil, "the pump's serial number"),
    session_id = ProtoField.uint16("vpump.session_id", "Session id", base.HEX),
    length = ProtoField.uint16("vpump.length", "Length of the payload", base.DEC),
    result = ProtoField.uint8("vpump.result", "Result", base.HEX, RESULTS),
    nak_field = ProtoField.uint8("vpump.nak.field", "Field at fault", base.DEC, nil, nil, "255 = none"),
    nak_element = ProtoField.uint16("vpump.nak.element", "Element", base.DEC),
    nak_detail = ProtoField.uint32("vpump.nak.detail", "Detail", base.DEC),
    message = ProtoField.string("vpump.message", "Message", base.ASCII),
    record = ProtoField.string("vpump.record", "Record", base.ASCII, "the data, by the table of the record's type"),
    later_fields = ProtoField.bytes("vpump.later_fields", "Fields of a later minor version"),
    unknown_payload = ProtoField.bytes("vpump.unknown_payload", "Payload that is not known"),
    sealed_payload = ProtoField.bytes("vpump.sealed_payload", "Sealed payload"),
    counter = ProtoField.uint64("vpump.counter", "Counter", base.DEC),
    tag = ProtoField.bytes("vpump.tag", "Tag"),
    crc32 = ProtoField.uint32("vpump.crc32", "CRC-32", base.HEX),
}

-- The fields of messages, and what an expert says.

local INTEGERS = {
    u8 = { size = 1, make = ProtoField.uint8 },
    u16 = { size = 2, make = ProtoField.uint16 },
    u32 = { size = 4, make = ProtoField.uint32 },
    u64 = { size = 8, make = ProtoField.uint64 },
    i16 = { size = 2, make = ProtoField.int16, signed = true },
    i32 = { size = 4, make = ProtoField.int32, signed = true },
}

local all_fields = {}
for _, field in pairs(frame) do
    all_fields[#all_fields + 1] = field
end

local function declared(field)
    all_fields[#all_fields + 1] = field
    return field
end

for type_name, type in pairs(TYPES) do
    for _, field in ipairs(type.fields) do
        local abbreviation = "vpump." .. type_name .. "." .. field.name
        local title = field.unit and field.name .. " [" .. field.unit .. "]" or field.name
        if field.kind == "text" then
            field.shown = declared(ProtoField.string(abbreviation, title, base.ASCII, field.about))
        elseif field.kind == "raw" or field.kind == "blob" then
            field.shown = declared(ProtoField.bytes(abbreviation, title, base.NONE, field.about))
            if field.kind == "blob" then
                field.counted = declared(ProtoField.uint8(abbreviation .. "_length", field.name .. "_length [bytes]"))
            end
        elseif field.kind == "records" or field.kind == "places" then
            field.shown = declared(ProtoField.string(abbreviation, title, base.ASCII, field.about))
        else
            local shown_as = (field.flags or field.hex) and base.HEX or base.DEC
            local integer = INTEGERS[field.kind]
            field.shown = declared(integer.make(abbreviation, title, shown_as, CODES[field.code], nil, field.about))
            field.bits = {}
            for _, flag in ipairs(FLAGS[field.flags] and FLAGS[field.flags].named or {}) do
                local name, width = abbreviation .. "." .. flag.name, integer.size * 8
                local bit = ProtoField.bool(name, flag.name, width, nil, flag.mask, flag.about)
                field.bits[#field.bits + 1] = declared(bit)
            end
        end
    end
    if type.crc32 then
        type.crc32 = declared(ProtoField.uint32("vpump." .. type_name .. ".crc32", "crc32", base.HEX))
    end
end
vpump.fields = all_fields

local experts, rejected = {}, {}

local function expert_on(name, words, group, severity)
    local made = ProtoExpert.new("vpump." .. name, words, expert.group[group], expert.severity[severity])
    experts[#experts + 1] = made
    return made
end

for fault, words in pairs(FAULTS) do
    rejected[fault] = expert_on("rejected." .. fault, words, "MALFORMED", "ERROR")
end
local unfinished = expert_on("unfinished", "no final 00", "MALFORMED", "WARN")
local unreadable = expert_on("unreadable", "not what the message's table admits", "MALFORMED", "ERROR")
local wrong_way = expert_on("wrong_way", "only hosts send requests, and they send nothing else", "PROTOCOL", "WARN")
local odd_record = expert_on("odd_record", "the data is not what the record's type says", "PROTOCOL", "NOTE")
local unknown = expert_on("unknown", "an operation or a version that is not known", "UNDECODED", "NOTE")
local refused = expert_on("refused", "the pump refuses", "RESPONSE_CODE", "NOTE")
local sealed = expert_on("sealed", "sealed: only its session's keys open it", "SECURITY", "CHAT")
vpump.experts = experts

-- Which way a packet goes: captured at the pump, what is received goes to it.

local WAYS = {
    [P2P_DIR_RECV] = { name = "to the pump", source = "host", destination = "pump" },
    [P2P_DIR_SENT] = { name = "from the pump", source = "pump", destination = "host" },
}

-- COBS and the CRC-32.

local CRC_TABLE = {}
for byte = 0, 255 do
    local value = byte
    for _ = 1, 8 do
        local low = bits.band(value, 1)
        value = bits.rshift(value, 1)
        if low == 1 then value = bits.bxor(value, 0xedb88320) end
    end
    CRC_TABLE[byte] = value
end

local function crc32_of(bytes, from, length)
    local value = 0xffffffff
    for at = from, from + length - 1 do
        local index = bits.band(bits.bxor(value, bytes:get_index(at)), 0xff)
        value = bits.bxor(bits.rshift(value, 8), CRC_TABLE[index])
    end
    -- The library counts from -2^31.
    return bits.bxor(value, 0xffffffff) % 0x100000000
end

local function without_cobs(coded)
    local plain, size, at = ByteArray.new(), 0, 0
    plain:set_size(coded:len())
    while at < coded:len() do
        local code = coded:get_index(at)
        if at + code > coded:len() then return nil end
        for following = at + 1, at + code - 1 do
            plain:set_index(size, coded:get_index(following))
            size = size + 1
        end
        at = at + code
        if code < 0xff and at < coded:len() then
            plain:set_index(size, 0)
            size = size + 1
        end
    end
    plain:set_size(size)
    return plain
end

-- Checking: where a value of a type ends, or nil and what is wrong. Nothing is shown yet.

local check

local function number_at(range, kind)
    return INTEGERS[kind].signed and range:le_int() or range:le_uint()
end

local function check_integer(field, range)
    if field.kind == "u64" then return nil end
    local value = number_at(range, field.kind)
    if field.code and not CODES[field.code][value] then return "no known code" end
    if field.flags and bits.band(value, bits.bnot(FLAGS[field.flags].admitted)) ~= 0 then return "an unknown bit" end
    if field.minimum and value < field.minimum then return "below " .. field.minimum end
    if field.maximum and value > field.maximum then return "above " .. field.maximum end
    return nil
end

local function check_text(range)
    local ended = false
    for at = 0, range:len() - 1 do
        local character = range(at, 1):uint()
        if character == 0 then
            ended = true
        elseif ended or character < 0x20 or character > 0x7e then
            return "no printable text"
        end
    end
    return nil
end

-- Whether a field is there, by the flags before it.
local function is_there(field, seen)
    return not field.present or bits.band(seen[field.present_in], field.present) ~= 0
end

local function check_items(field, count, tvb, at, limit)
    for number = 0, count - 1 do
        local following, problem = check(field.of, tvb, at, limit)
        if not following then return nil, field.name .. "[" .. number .. "], " .. problem end
        at = following
    end
    return at
end

local function check_field(field, tvb, at, limit, seen)
    if not is_there(field, seen) then return at end
    local size = INTEGERS[field.kind] and INTEGERS[field.kind].size or field.size or 0
    if field.kind == "records" or field.kind == "blob" then
        if at >= limit then return nil, "the payload ends before " .. field.name end
        local count = tvb(at, 1):uint()
        if count > field.maximum then return nil, field.name .. ": more than " .. field.maximum end
        if field.kind == "records" then return check_items(field, count, tvb, at + 1, limit) end
        size = 1 + count
    elseif field.kind == "places" then
        return check_items(field, field.count, tvb, at, limit)
    end
    if at + size > limit then return nil, "the payload ends within " .. field.name end
    local problem
    if INTEGERS[field.kind] then
        problem = check_integer(field, tvb(at, size))
        if size <= 4 then seen[field.name] = number_at(tvb(at, size), field.kind) end
        if field.complement_of and seen[field.name] + seen[field.complement_of] ~= 0xffffffff then
            problem = "not the complement of " .. field.complement_of
        end
    elseif field.kind == "text" then
        problem = check_text(tvb(at, size))
    end
    if problem then return nil, field.name .. ": " .. problem end
    return at + size
end

check = function(type_name, tvb, from, limit)
    local type, at, seen, problem = TYPES[type_name], from, {}, nil
    for _, field in ipairs(type.fields) do
        at, problem = check_field(field, tvb, at, limit, seen)
        if not at then return nil, problem end
    end
    if type.crc32 then
        if at + 4 > limit then return nil, "the payload ends within its CRC-32" end
        local bytes = tvb(from, at - from):bytes()
        if crc32_of(bytes, 0, bytes:len()) ~= tvb(at, 4):le_uint() then return nil, "the CRC-32 does not match" end
        at = at + 4
    end
    return at
end

-- Showing what has been checked; gives where it ends.

local show

local function show_record(tree, tvb, from)
    local name = RECORD_DATA[tvb(from + RECORD.type_at, 2):le_uint()]
    if not name then return end
    local at = from + RECORD.data_at
    local size = tvb(from + RECORD.length_at, 1):uint()
    if check(name, tvb, at, at + size) then
        -- No range of a buffer is empty: a record without data stands at its CRC-32.
        show(name, tree:add(frame.record, tvb(at, math.max(size, 1)), name), tvb, at)
    else
        tree:add_proto_expert_info(odd_record)
    end
end

local function show_field(field, tree, tvb, at)
    local integer = INTEGERS[field.kind]
    if integer then
        local range = tvb(at, integer.size)
        local item = tree:add_le(field.shown, range)
        for _, bit in ipairs(field.bits) do
            item:add_le(bit, range)
        end
        return at + integer.size
    elseif field.kind == "text" then
        local length = 0
        while length < field.size and tvb(at + length, 1):uint() ~= 0 do
            length = length + 1
        end
        tree:add(field.shown, tvb(at, field.size), length > 0 and tvb(at, length):string() or "")
        return at + field.size
    elseif field.kind == "raw" then
        tree:add(field.shown, tvb(at, field.size))
        return at + field.size
    end
    local count = field.count
    if not count then
        count = tvb(at, 1):uint()
        at = at + 1
    end
    if field.kind == "blob" then
        tree:add(field.counted, tvb(at - 1, 1))
        if count > 0 then tree:add(field.shown, tvb(at, count)) end
        return at + count
    end
    local ends = check_items(field, count, tvb, at, tvb:len())
    local begin = field.count and at or at - 1
    local list = tree:add(field.shown, tvb(begin, ends - begin), tostring(count))
    for number = 0, count - 1 do
        local following = check(field.of, tvb, at, tvb:len())
        show(field.of, list:add(tvb(at, following - at), field.name .. "[" .. number .. "]"), tvb, at)
        at = following
    end
    return at
end

show = function(type_name, tree, tvb, from)
    local type, at, seen = TYPES[type_name], from, {}
    for _, field in ipairs(type.fields) do
        if is_there(field, seen) then
            if field.flags and INTEGERS[field.kind].size <= 4 then
                seen[field.name] = number_at(tvb(at, INTEGERS[field.kind].size), field.kind)
            end
            at = show_field(field, tree, tvb, at)
        end
    end
    if type.crc32 then
        tree:add_le(type.crc32, tvb(at, 4))
        at = at + 4
    end
    if type_name == RECORD.name then show_record(tree, tvb, from) end
    return at
end

-- A frame: its rules in the order in which a pump looks at them.

local function header_fault(tvb, has)
    if has.resp and (has.event or has.retry) or has.event and has.retry then return "flags" end
    if has.resp ~= (tvb(2, 2):le_uint() >= 0x8000) then return "flags" end
    if has.secured ~= (tvb(8, 2):le_uint() ~= 0) then return "flags" end
    local length = tvb(10, 2):le_uint()
    if length > MAX_PAYLOAD or tvb:len() ~= 16 + length + (has.secured and 13 or 0) then return "length" end
    return nil
end

local function show_header(tree, tvb, has)
    local flags = tree:add(tvb(0, 1), "Version and flags")
    flags:add(frame.major, tvb(0, 1))
    flags:add(frame.secured, tvb(0, 1))
    flags:add(frame.retry, tvb(0, 1))
    flags:add(frame.event, tvb(0, 1))
    flags:add(frame.resp, tvb(0, 1))
    tree:add(frame.txn, tvb(1, 1))
    local opcode = tree:add_le(frame.opcode, tvb(2, 2))
    opcode:add(frame.operation, tvb(2, 2), tvb(2, 2):le_uint() % 0x8000):set_generated()
    opcode:add(frame.kind, tvb(0, 1), has.kind):set_generated()
    tree:add_le(frame.address, tvb(4, 4))
    tree:add_le(frame.session_id, tvb(8, 2))
    tree:add_le(frame.length, tvb(10, 2))
end

local function payload_type(tvb, has, length)
    local key = tvb(2, 2):le_uint()
    if has.event then return PAYLOADS[key + EVENT_KEY] end
    if REDUCED[key] and length == REDUCED[key] then return PAYLOADS[key + REDUCED_KEY] end
    return PAYLOADS[key]
end

local function bad(tree, why)
    tree:add_proto_expert_info(unreadable, why)
    return "unreadable: " .. why
end

local function show_refusal(tree, tvb, at, limit)
    local code = tvb(at, 1):uint()
    if not RESULTS[code] then return bad(tree, "no known result byte") end
    if limit - at ~= 8 then return bad(tree, "a refusal has 8 bytes") end
    tree:add(frame.nak_field, tvb(at + 1, 1))
    tree:add_le(frame.nak_element, tvb(at + 2, 2))
    tree:add_le(frame.nak_detail, tvb(at + 4, 4))
    local words = string.format("NAK %02X %s", code, RESULTS[code])
    tree:add_proto_expert_info(refused, words)
    return words
end

local function show_payload(tree, tvb, has, at, limit)
    if has.major ~= MAJOR then
        tree:add_proto_expert_info(unknown)
        if limit > at then tree:add(frame.unknown_payload, tvb(at, limit - at)) end
        return "major version " .. has.major
    end
    local words = ""
    if has.resp then
        if at == limit then return bad(tree, "an answer without its result byte") end
        tree:add(frame.result, tvb(at, 1))
        if tvb(at, 1):uint() ~= OK then return show_refusal(tree, tvb, at, limit) end
        at, words = at + 1, "OK"
    end
    local name = payload_type(tvb, has, limit - at)
    if not name then
        tree:add_proto_expert_info(unknown)
        if limit > at then tree:add(frame.unknown_payload, tvb(at, limit - at)) end
        return words
    end
    local ends, problem = check(name, tvb, at, limit)
    if not ends then return bad(tree, problem) end
    if ends < limit and not TYPES[name].grows then return bad(tree, "bytes behind the last field") end
    local whole = at < limit and tvb(at, limit - at) or tvb(0, 1)
    local message = tree:add(frame.message, whole, name)
    show(name, message, tvb, at)
    if ends < limit then message:add(frame.later_fields, tvb(ends, limit - ends)) end
    return words
end

local function show_sealed(tree, tvb, length)
    local at = 12
    if length > 0 then tree:add(frame.sealed_payload, tvb(at, length)) end
    local counter = tree:add_le(frame.counter, tvb(at + length, 5))
    tree:add(frame.tag, tvb(at + length + 5, 8))
    counter:add_proto_expert_info(sealed)
    local number = tvb(at + length, 4):le_uint() + tvb(at + length + 4, 1):uint() * 0x100000000
    return string.format("sealed, session %04X, counter %.0f, %d bytes", tvb(8, 2):le_uint(), number, length)
end

local function show_frame(tree, tvb, way)
    local first = tvb(0, 1):uint()
    local has = {
        resp = bits.band(first, 1) ~= 0,
        event = bits.band(first, 2) ~= 0,
        retry = bits.band(first, 4) ~= 0,
        secured = bits.band(first, 8) ~= 0,
        major = bits.rshift(first, 4),
    }
    has.kind = has.resp and "answer" or has.event and "event" or "request"
    local opcode, length = tvb(2, 2):le_uint() % 0x8000, tvb(10, 2):le_uint()
    show_header(tree, tvb, has)
    local fault = header_fault(tvb, has)
    if fault then
        tree:add_proto_expert_info(rejected[fault])
        return "rejected: " .. FAULTS[fault]
    end
    if way and (has.kind == "request") ~= (way == WAYS[P2P_DIR_RECV]) then
        tree:add_proto_expert_info(wrong_way)
    end
    local words
    if has.secured then
        words = show_sealed(tree, tvb, length)
    else
        words = show_payload(tree, tvb, has, 12, 12 + length)
    end
    tree:add_le(frame.crc32, tvb(tvb:len() - 4, 4))
    local name = OPERATIONS[opcode] or string.format("%04X", opcode)
    local retry = has.retry and " RETRY" or ""
    local told = string.format("%s %s txn=%d%s", name, has.kind, tvb(1, 1):uint(), retry)
    return words == "" and told or told .. " " .. words
end

local function dissect_one(coded, range, item, way)
    item:add(frame.wire, range)
    if way then item:add(frame.way, range(0, 1), way.name):set_generated() end
    local function reject(fault)
        item:add_proto_expert_info(rejected[fault])
        return "rejected: " .. FAULTS[fault]
    end
    if coded:len() > ENCODED_MAX then return reject("oversize") end
    local plain = without_cobs(coded)
    if not plain then return reject("cobs") end
    if plain:len() < 16 then return reject("short") end
    local tvb = plain:tvb("Frame behind COBS")
    if crc32_of(plain, 0, plain:len() - 4) ~= tvb(plain:len() - 4, 4):le_uint() then return reject("crc") end
    return show_frame(item, tvb, way)
end

function vpump.dissector(buffer, pinfo, tree)
    pinfo.cols.protocol = "vpump"
    local way = WAYS[pinfo.p2p_dir]
    if way then
        pinfo.cols.src = way.source
        pinfo.cols.dst = way.destination
    end
    local words, from, size = {}, 0, buffer:len()
    while from < size do
        if buffer(from, 1):uint() == 0 then
            from = from + 1
        else
            local ends = from
            while ends < size and buffer(ends, 1):uint() ~= 0 do
                ends = ends + 1
            end
            local range = buffer(from, ends - from)
            if ends == size and ends - from <= ENCODED_MAX then
                tree:add(vpump, range):add_proto_expert_info(unfinished)
                words[#words + 1] = "unfinished"
            else
                local item = tree:add(vpump, range)
                words[#words + 1] = dissect_one(range:bytes(), range, item, way)
                item:append_text(": " .. words[#words])
            end
            from = ends
        end
    end
    pinfo.cols.info = table.concat(words, "; ")
    return size
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, vpump)
