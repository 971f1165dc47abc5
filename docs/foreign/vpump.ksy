meta:
  id: vpump
  title: "vpump wire protocol"
  license: Apache-2.0
  ks-version: 0.11
  endian: le
  bit-endian: le
doc: |-
  A frame of the vpump wire protocol, which docs/protocol.md of the project specifies.
  Generated from the tables that the pump itself runs by (`vpump spec --format ksy`).

  On the line stands 00, COBS(body), 00. This description begins with the body: cut the stream at each 00, undo COBS,
  compare the last four bytes with the CRC-32 (the one of zlib) of all before them, then parse. A log record ends with a
  CRC-32 of its own. The payload of a secured frame is enciphered; in the clear, parse it with the type `payload`, whose
  parameters are the frame's opcode, event, secured and major.
seq:
  - id: resp
    type: b1
    doc: "an answer; then bit 15 of the opcode is set, too"
  - id: event
    type: b1
    valid:
      expr: "not (_ and resp)"
    doc: "an event"
  - id: retry
    type: b1
    valid:
      expr: "not (_ and (resp or event))"
    doc: "a request, sent again"
  - id: secured
    type: b1
    doc: "the payload is enciphered, counter and tag follow it"
  - id: major
    type: b4
    doc: "major version, 1; of another one only HELLO is understood"
  - id: txn
    type: u1
    doc: "an answer has that of its request"
  - id: opcode
    type: u2
    valid:
      expr: "(_ >= 0x8000) == resp"
    doc: "service in the high byte, operation in the low one; bit 15 in answers"
  - id: address
    type: u4
    doc: "the pump's serial number; FFFFFFFF in HELLO: any pump"
  - id: session_id
    type: u2
    valid:
      expr: "(_ != 0) == secured"
    doc: "0 = no session"
  - id: len_payload
    type: u2
    valid:
      max: 224
  - id: payload
    type: "payload(opcode, event, secured, major)"
    size: len_payload
    if: "not secured"
  - id: sealed_payload
    size: len_payload
    if: secured
    doc: "enciphered with AES-CCM"
  - id: counter_low
    type: u4
    if: secured
    doc: "the low 32 bits of the counter"
  - id: counter_high
    type: u1
    if: secured
    doc: "its high 8 bits"
  - id: tag
    size: 8
    if: secured
    doc: "of AES-CCM"
  - id: crc32
    type: u4
    doc: "over all bytes before it; to be compared by the reader"
  - id: behind
    size-eos: true
    valid:
      expr: "_.length == 0"
    doc: "nothing may stand here"
instances:
  counter:
    value: "counter_low + counter_high * 0x100000000"
    if: secured
  operation:
    value: "opcode & 0x7fff"
    doc: "the opcode without bit 15"
types:
  payload:
    params:
      - id: opcode
        type: u2
        doc: "as the header has it, bit 15 included"
      - id: event
        type: bool
      - id: secured
        type: bool
        doc: "whether it came in a secured frame"
      - id: major
        type: u1
    seq:
      - id: result
        type: u1
        enum: result
        valid:
          in-enum: true
        if: is_answer
        doc: "0F = OK; anything else is the code of a refusal"
      - id: refusal
        type: refusal
        if: is_refusal
      - id: message
        type:
          switch-on: key
          cases:
            "0x101": hello_request
            "0x8101": hello_answer
            "0x102": open_request
            "0x8102": open_answer
            "0x103": auth_request
            "0x8103": auth_answer
            "0x104": close_request
            "0x8104": close_answer
            "0x105": keepalive_request
            "0x8105": keepalive_answer
            "0x106": caps_request
            "0x8106": caps_answer
            "0x107": link_stats_request
            "0x8107": link_stats_answer
            "0x201": status_request
            "0x8201": status_answer
            "0x28201": reduced_status_answer
            "0x202": ident_request
            "0x8202": ident_answer
            "0x203": therapy_read_request
            "0x8203": therapy_read_answer
            "0x204": limits_request
            "0x8204": limits_answer
            "0x205": counters_request
            "0x8205": counters_answer
            "0x206": battery_request
            "0x8206": battery_answer
            "0x207": reservoir_request
            "0x8207": reservoir_answer
            "0x301": program_begin_request
            "0x8301": program_begin_answer
            "0x302": program_write_request
            "0x8302": program_write_answer
            "0x303": program_validate_request
            "0x8303": program_validate_answer
            "0x304": stage_read_request
            "0x8304": stage_read_answer
            "0x305": program_commit_request
            "0x8305": program_commit_answer
            "0x306": program_abort_request
            "0x8306": program_abort_answer
            "0x401": stop_request
            "0x8401": stop_answer
            "0x402": start_request
            "0x8402": start_answer
            "0x403": bolus_prepare_request
            "0x8403": bolus_prepare_answer
            "0x404": bolus_execute_request
            "0x8404": bolus_execute_answer
            "0x405": bolus_cancel_request
            "0x8405": bolus_cancel_answer
            "0x406": patient_bolus_request
            "0x8406": patient_bolus_answer
            "0x501": alarm_list_request
            "0x8501": alarm_list_answer
            "0x502": alarm_ack_request
            "0x8502": alarm_ack_answer
            "0x503": alarm_clear_request
            "0x8503": alarm_clear_answer
            "0x504": alarm_snapshot_request
            "0x8504": alarm_snapshot_answer
            "0x505": alarm_silence_request
            "0x8505": alarm_silence_answer
            "0x601": log_status_request
            "0x8601": log_status_answer
            "0x602": log_read_request
            "0x8602": log_read_answer
            "0x603": log_find_by_elapsed_request
            "0x8603": log_find_by_elapsed_answer
            "0x701": subscribe_request
            "0x8701": subscribe_answer
            "0x702": unsubscribe_request
            "0x8702": unsubscribe_answer
            "0x703": reset_flags_request
            "0x8703": reset_flags_answer
            "0x801": time_read_request
            "0x8801": time_read_answer
            "0x802": time_set_request
            "0x8802": time_set_answer
            "0x901": selftest_request
            "0x8901": selftest_answer
            "0x902": refill_begin_request
            "0x8902": refill_begin_answer
            "0x903": refill_commit_request
            "0x8903": refill_commit_answer
            "0xa01": op_query_request
            "0x8a01": op_query_answer
            "0xa02": op_list_request
            "0x8a02": op_list_answer
            "0x10704": stream_event
            "_": unknown_payload
        if: "not is_refusal"
      - id: later_fields
        size-eos: true
        valid:
          expr: "_.length == 0 or may_grow"
        doc: "of a later minor version; to be skipped"
    instances:
      is_answer:
        value: "major == 1 and opcode >= 0x8000"
      is_refusal:
        value: "is_answer and result != result::ok"
      is_reduced:
        value: "not secured and ((opcode == 0x8201 and _io.size == 3))"
        doc: "the answer to who has no session"
      key:
        value: "major != 1 ? 0 : event ? opcode + 0x10000 : is_reduced ? opcode + 0x20000 : opcode"
        doc: "the opcode; of an event plus 10000, of an answer without a session 20000"
      may_grow:
        value: "not is_refusal and (key == 0x101 or key == 0x8101 or key == 0x8102 or key == 0x8103 or key == 0x8104 or key == 0x105 or key == 0x8105 or key == 0x8106 or key == 0x8107 or key == 0x8201 or key == 0x28201 or key == 0x8202 or key == 0x8203 or key == 0x8204 or key == 0x8205 or key == 0x8206 or key == 0x8207 or key == 0x8301 or key == 0x8302 or key == 0x8303 or key == 0x8304 or key == 0x8305 or key == 0x8306 or key == 0x8401 or key == 0x8402 or key == 0x8403 or key == 0x8404 or key == 0x8405 or key == 0x8406 or key == 0x8501 or key == 0x8502 or key == 0x8503 or key == 0x8504 or key == 0x8505 or key == 0x8601 or key == 0x8602 or key == 0x8603 or key == 0x8701 or key == 0x8702 or key == 0x8703 or key == 0x8801 or key == 0x8802 or key == 0x8901 or key == 0x8902 or key == 0x8903 or key == 0x8a01 or key == 0x8a02 or key == 0x10704)"
  unknown_payload:
    doc: "Of an operation or a major version that this description does not know."
    seq:
      - id: raw
        size-eos: true
  refusal:
    doc: "A NAK behind its code, which is the result byte."
    seq:
      - id: field
        type: u1
        doc: "index of the request's field that is at fault; FF = none"
      - id: element
        type: u2
        doc: "a second detail, where the code names one; else 0"
      - id: detail
        type: u4
        doc: "the limit, value or state that the code names; else 0"
  text:
    doc: "Printable ASCII, filled up with 00."
    seq:
      - id: characters
        type: u1
        repeat: eos
        valid:
          expr: "_ == 0 or (_ >= 0x20 and _ <= 0x7e and (_index == 0 or characters[_index - 1] != 0))"
    instances:
      value:
        pos: 0
        type: strz
        encoding: ASCII
        size-eos: true
  capability:
    seq:
      - id: single_bolus
        type: b1
        doc: "BOLUS_PREPARE, BOLUS_EXECUTE, BOLUS_CANCEL with kind SINGLE"
      - id: alarms
        type: b1
        doc: "service 05"
      - id: event_log
        type: b1
        doc: "service 06"
      - id: op_ledger
        type: b1
        doc: "service 0A"
      - id: sessions
        type: b1
        doc: "OPEN, AUTH, CLOSE, KEEPALIVE"
      - id: programs
        type: b1
        doc: "service 03 and THERAPY_READ"
      - id: schedules
        type: b1
        doc: "the modes FLEX, SINGLE_BOLUS and PERIODIC_BOLUS"
      - id: patient_bolus
        type: b1
        doc: PATIENT_BOLUS
      - id: dead_volume_boluses
        type: b1
        doc: "BOLUS_PREPARE with kind PRIMING and BRIDGE"
      - id: refill
        type: b1
        doc: "REFILL_BEGIN, REFILL_COMMIT, RESERVOIR"
      - id: clock
        type: b1
        doc: TIME_SET
      - id: selftest
        type: b1
        doc: SELFTEST
      - id: stream
        type: b1
        doc: "service 07"
      - id: unknown_from_13
        type: b19
      - id: unknown_from_32
        type: b32
  marks:
    seq:
      - id: emulator
        type: b1
        doc: "not a device"
      - id: test_keys
        type: b1
        doc: "its keys are published"
      - id: insecure
        type: b1
        doc: "asks for no key: session 0 is a clinician's"
      - id: unknown_from_3
        type: b5
  open_flag:
    seq:
      - id: takeover
        type: b1
        doc: "take the clinician's place from another host"
      - id: unknown_from_1
        type: b7
        valid: 0
  warnings:
    seq:
      - id: rate_rounded
        type: b1
        doc: "a rate was rounded down to a whole quantum, or a volume to whole motor steps"
      - id: no_delivery
        type: b1
        doc: "this program delivers nothing"
      - id: needs_start
        type: b1
        doc: "therapy is stopped, and stays so until START"
      - id: low_reservoir
        type: b1
        doc: "the reservoir is at or below the alarm's level already"
      - id: drugs_changed
        type: b1
        doc: "other drugs or concentrations than those of the active program"
      - id: bridge_due
        type: b1
        doc: "the old drugs are still in tubing and catheter: a BRIDGE bolus is due"
      - id: unknown_from_6
        type: b2
  op_flag:
    seq:
      - id: repeated
        type: b1
        doc: "the ledger held it already: nothing is given again"
      - id: not_entered
        type: b1
        doc: "the pump stands still, but this op id could not be entered in the ledger (STOP only)"
      - id: unknown_from_2
        type: b6
        valid: 0
  telemetry_field:
    seq:
      - id: run_state
        type: b1
        doc: "run_state, stop_reason"
      - id: alarms
        type: b1
        doc: "alarms_raised, alarms_unacknowledged"
      - id: therapy_rev
        type: b1
        doc: therapy_rev
      - id: rate
        type: b1
        doc: "base_rate_nl_per_day, programmed_rate_nl_per_day"
      - id: reservoir
        type: b1
        doc: reservoir_nl
      - id: bolus
        type: b1
        doc: "bolus_id, bolus_volume_nl, bolus_delivered_nl, bolus_remaining_s"
      - id: delivered
        type: b1
        doc: delivered_nl
      - id: boot
        type: b1
        doc: boot
      - id: clock
        type: b1
        doc: "rtc_unix_s, offset_min"
      - id: battery
        type: b1
        doc: "idle_mv, loaded_mv, temperature_cc"
      - id: unknown_from_10
        type: b22
  changed_flag:
    seq:
      - id: boot
        type: b1
        doc: "the pump started"
      - id: therapy
        type: b1
        doc: "therapy was started or stopped"
      - id: bolus
        type: b1
        doc: "a bolus, or a dose of the program, began, ended or was cancelled"
      - id: program
        type: b1
        doc: "a program was begun, or became the active one"
      - id: alarm
        type: b1
        doc: "an alarm was raised, acknowledged, silenced or cleared, or a stall ended"
      - id: refill
        type: b1
        doc: "the reservoir was refilled"
      - id: clock
        type: b1
        doc: "the clock was set"
      - id: delivery
        type: b1
        doc: "the log has told again what has been delivered"
      - id: memory
        type: b1
        doc: "a copy of a record was lost, and made anew"
      - id: security
        type: b1
        doc: "a place was taken over, an authentication failed, or keys were replaced"
      - id: unknown_from_10
        type: b22
  self_test_part:
    seq:
      - id: memory
        type: b1
        doc: "a copy of a record could not be read"
      - id: cell
        type: b1
        doc: "the cell, under the motor's load, is below what the electronics start with"
      - id: clock
        type: b1
        doc: "the clock's counter has been lost"
      - id: rotor
        type: b1
        doc: "the rotor did not follow its last pulse; it is given none for the test"
      - id: unknown_from_4
        type: b4
  hello_request:
    seq:
      - id: major
        type: u1
        doc: "the host's major version"
      - id: minor
        type: u1
        doc: "the host's minor version"
  hello_answer:
    seq:
      - id: major
        type: u1
        doc: "the pump's major version"
      - id: minor
        type: u1
        doc: "the pump's minor version"
      - id: capabilities
        type: capability
        doc: "what is built; unknown bits are to be skipped"
      - id: model
        type: text
        size: 16
        doc: "the model's name"
      - id: serial_number
        type: u4
        doc: "the serial number, which is also the address"
      - id: firmware_hash
        size: 8
        doc: "identifies the firmware"
      - id: max_payload
        type: u2
        doc: "the largest payload of a frame, in both directions [bytes]"
      - id: marks
        type: marks
        doc: "what a programmer must show; unknown bits are to be skipped"
  open_request:
    seq:
      - id: role
        type: u1
        enum: role
        valid:
          in-enum: true
        doc: "the role that the session is to have"
      - id: flags
        type: open_flag
        doc: "TAKEOVER: end another host's clinician session"
      - id: host_id
        type: u4
        valid:
          min: 1
        doc: "the host's own number, the same after a crash; not 0"
      - id: host_challenge
        size: 8
        doc: "never the same twice"
  open_answer:
    seq:
      - id: device_challenge
        size: 8
        doc: "never the same twice"
      - id: device_cryptogram
        size: 8
        doc: "shows that the pump has the role's key"
  auth_request:
    seq:
      - id: host_cryptogram
        size: 8
        doc: "shows that the host has the role's key"
  auth_answer:
    doc: "The first secured frame of a session; its header bears the session id."
    seq:
      - id: silence_s
        type: u2
        doc: "the session ends after so long without a good frame from the host [s]"
      - id: failed_attempts
        type: u1
        doc: "failed authentications of this role and port before this one [attempts]"
  close_request:
    seq: []
  close_answer:
    seq: []
  keepalive_request:
    seq: []
  keepalive_answer:
    seq: []
  caps_request:
    seq: []
  caps_answer:
    seq:
      - id: volume_quantum_nl
        type: u4
        doc: "one motor step [nl]"
      - id: rate_min_nl_per_day
        type: u4
        doc: "the least base rate above 0 [nl/d]"
      - id: rate_max_nl_per_day
        type: u4
        doc: "the greatest base rate [nl/d]"
      - id: rate_quantum_nl_per_day
        type: u4
        doc: "base rates are multiples of it [nl/d]"
      - id: bolus_volume_min_nl
        type: u4
        doc: "the least bolus [nl]"
      - id: bolus_volume_max_nl
        type: u4
        doc: "the greatest bolus [nl]"
      - id: bolus_duration_min_s
        type: u4
        doc: "the shortest bolus [s]"
      - id: bolus_duration_max_s
        type: u4
        doc: "the longest bolus [s]"
      - id: bolus_rate_max_nl_per_day
        type: u4
        doc: "volume over duration may not exceed it [nl/d]"
      - id: lease_s
        type: u2
        doc: "how long a prepared bolus waits for its EXECUTE [s]"
      - id: reservoir_capacity_nl
        type: u4
        doc: "a full reservoir [nl]"
      - id: low_reservoir_nl
        type: u4
        doc: "the level of the low reservoir alarm [nl]"
      - id: empty_reservoir_nl
        type: u4
        doc: "the level at which therapy stops [nl]"
      - id: journal_interval_nl
        type: u4
        doc: "after a power cut, min and max differ by at most this [nl]"
      - id: log_capacity
        type: u4
        doc: "how many records the log holds [records]"
      - id: alarm_capacity
        type: u1
        doc: "how many alarms the list holds [alarms]"
      - id: drugs_max
        type: u1
        doc: "how many drugs a program can name [drugs]"
      - id: concentration_max_ng_per_ml
        type: u4
        doc: "the greatest concentration [ng/mL]"
      - id: flow_max_nl_per_day
        type: u4
        doc: "what the motor makes at most, base and boluses together [nl/d]"
      - id: window_max_nl
        type: u4
        doc: "the most in any 24 h, base and boluses together [nl]"
      - id: dose_history
        type: u1
        doc: "while so many lie in one window, no further bolus is given [boluses]"
      - id: dead_volume_duration_max_s
        type: u4
        doc: "the longest priming or bridge bolus [s]"
      - id: tubing_nl
        type: u4
        doc: "the pump's own tubing, between reservoir and catheter [nl]"
      - id: residual_nl
        type: u4
        doc: "what a syringe cannot withdraw from the reservoir [nl]"
      - id: stops_while_programming
        type: u1
        valid:
          max: 1
        doc: "1: therapy stands still from PROGRAM_BEGIN until COMMIT"
      - id: patient_lockout_min_s
        type: u4
        doc: "the shortest lockout that a program may ask for [s]"
      - id: patient_lockout_max_s
        type: u4
        doc: "the longest [s]"
      - id: patient_window_min_s
        type: u4
        doc: "the shortest window in which a program may count patient boluses [s]"
      - id: patient_window_max_s
        type: u4
        doc: "the longest [s]"
      - id: patient_activations_max
        type: u1
        doc: "the most patient boluses in a window [boluses]"
      - id: stall_sample_s
        type: u4
        doc: "how often the pump looks whether the rotor has turned [s]"
      - id: stall_samples
        type: u1
        doc: "so many without motion, one after the other, make a stall [samples]"
      - id: stopped_too_long_s
        type: u4
        doc: "how long therapy may stand still before an alarm [s]"
      - id: tone_repeat_min_min
        type: u2
        doc: "the shortest repeat interval of an alarm's tone [min]"
      - id: tone_repeat_max_min
        type: u2
        doc: "the longest [min]"
      - id: silence_min
        type: u2
        doc: "how long a silenced alarm is silent [min]"
      - id: end_of_service_days
        type: u2
        doc: "from the alarm REPLACEMENT to the end of service [days]"
      - id: life_max_days
        type: u2
        doc: "from the first power-up to the end of service at the latest [days]"
      - id: stream_period_min_s
        type: u2
        doc: "the shortest period that SUBSCRIBE may ask for [s]"
      - id: stream_period_max_s
        type: u2
        doc: "the longest [s]"
  link_stats_request:
    seq: []
  link_stats_answer:
    doc: "Of this line, since it was first opened or power came back. Counters stay at FFFFFFFE when they get there."
    seq:
      - id: frames_received
        type: u4
        doc: "good frames for this pump [frames]"
      - id: frames_sent
        type: u4
        doc: "frames sent [frames]"
      - id: cobs_errors
        type: u4
        doc: "the COBS coding was broken [errors]"
      - id: crc_errors
        type: u4
        doc: "the CRC did not match [errors]"
      - id: short_errors
        type: u4
        doc: "less than 16 bytes between two delimiters [errors]"
      - id: length_errors
        type: u4
        doc: "another length than the header's, or above the greatest [errors]"
      - id: flags_errors
        type: u4
        doc: "flags, bit 15 or session id contradict each other or the direction [errors]"
      - id: oversize_errors
        type: u4
        doc: "255 bytes without a delimiter [errors]"
      - id: version_errors
        type: u4
        doc: "another major version, and not HELLO [errors]"
      - id: address_errors
        type: u4
        doc: "another pump's address [errors]"
      - id: duplicates
        type: u4
        doc: "duplicates that were answered from the cache or with PENDING [frames]"
      - id: sequence_refusals
        type: u4
        doc: "requests that were refused with SEQUENCE [frames]"
      - id: tag_errors
        type: u4
        doc: "secured frames whose tag did not verify [errors]"
      - id: counter_errors
        type: u4
        doc: "secured frames whose counter was not above the last [errors]"
  status_request:
    seq: []
  status_answer:
    seq:
      - id: run_state
        type: u1
        enum: run_state
        valid:
          in-enum: true
        doc: "whether therapy runs"
      - id: stop_reason
        type: u1
        enum: stop_reason
        valid:
          in-enum: true
        doc: "why it does not"
      - id: alarms_raised
        type: u1
        doc: "alarms that are not cleared [alarms]"
      - id: alarms_unacknowledged
        type: u1
        doc: "alarms that nobody has acknowledged [alarms]"
      - id: therapy_rev
        type: u4
        doc: "the current revision; for display only, quote none but OP_LIST's"
      - id: elapsed_s
        type: u4
        doc: "elapsed time [s]"
      - id: base_rate_nl_per_day
        type: u4
        doc: "the base rate that flows now; 0 while stopped [nl/d]"
      - id: programmed_rate_nl_per_day
        type: u4
        doc: "the base rate that START resumes [nl/d]"
      - id: reservoir_nl
        type: u4
        doc: "the reservoir's content as computed from motor steps [nl]"
      - id: bolus_id
        type: u4
        doc: "the running bolus; 0 = none"
      - id: bolus_volume_nl
        type: u4
        doc: "its volume [nl]"
      - id: bolus_delivered_nl
        type: u4
        doc: "what it has delivered so far [nl]"
      - id: bolus_remaining_s
        type: u4
        doc: "until its end [s]"
      - id: delivered_nl
        type: u8
        doc: "delivered in the pump's life [nl]"
      - id: log_epoch
        type: u2
        doc: "the log's epoch"
      - id: log_last
        type: u4
        doc: "the last log sequence; 0 = the log is empty"
      - id: boot
        type: u2
        doc: "the number of this boot"
  reduced_status_answer:
    doc: "What STATUS answers without a session: no dose, no operation."
    seq:
      - id: run_state
        type: u1
        enum: run_state
        valid:
          in-enum: true
        doc: "whether therapy runs"
      - id: alarm_present
        type: u1
        valid:
          max: 1
        doc: "1: at least one alarm is not cleared"
  ident_request:
    seq: []
  ident_answer:
    seq:
      - id: model
        type: text
        size: 16
        doc: "the model's name"
      - id: profile
        type: text
        size: 16
        doc: "the profile that gives its parameters"
      - id: serial_number
        type: u4
        doc: "the serial number, which is also the address"
      - id: firmware_version
        type: text
        size: 16
        doc: "the firmware's version"
      - id: firmware_hash
        size: 8
        doc: "identifies the firmware"
      - id: model_version
        type: u2
        doc: "pumps of equal version behave alike to the byte"
      - id: boots
        type: u2
        doc: "how often it has started"
  therapy_read_request:
    seq:
      - id: block
        type: u1
        enum: block
        valid:
          in-enum: true
        doc: "which block of the active program"
      - id: offset
        type: u2
        doc: "from which byte of the block on [bytes]"
      - id: length
        type: u1
        valid:
          min: 1
          max: 192
        doc: "at most so many [bytes]"
  therapy_read_answer:
    seq:
      - id: crc32
        type: u4
        doc: "of the active program's canonical image"
      - id: block_size
        type: u2
        doc: "the whole block [bytes]"
      - id: len_data
        type: u1
        valid:
          max: 192
      - id: data
        size: len_data
        doc: "the bytes that were asked for, as far as there are any [bytes]"
  limits_request:
    seq: []
  limits_answer:
    doc: "What the active program allows, within CAPS, and what of that is left now. No patient bolus: its fields are 0."
    seq:
      - id: rate_max_nl_per_day
        type: u4
        doc: "the greatest base rate [nl/d]"
      - id: bolus_volume_max_nl
        type: u4
        doc: "the greatest bolus [nl]"
      - id: window_max_nl
        type: u4
        doc: "the most in any 24 h, base and boluses together [nl]"
      - id: window_left_nl
        type: u4
        doc: "what of it a bolus may have now; what the program will give is reserved [nl]"
      - id: reservoir_left_nl
        type: u4
        doc: "what the reservoir can give before it counts as empty [nl]"
      - id: patient_volume_nl
        type: u4
        doc: "the patient's bolus [nl]"
      - id: patient_duration_s
        type: u4
        doc: "its duration [s]"
      - id: lockout_s
        type: u4
        doc: "the least time between two of them [s]"
      - id: lockout_left_s
        type: u4
        doc: "until the next may be asked for, by lockout and activations; 0 = now [s]"
      - id: activations_max
        type: u2
        doc: "the most of them in a window [boluses]"
      - id: activations_left
        type: u2
        doc: "how many of them are left in this window [boluses]"
      - id: activation_window_s
        type: u4
        doc: "the length of that window [s]"
  counters_request:
    seq: []
  counters_answer:
    doc: "In the pump's whole life."
    seq:
      - id: steps
        type: u8
        doc: "motor steps as commanded [steps]"
      - id: delivered_nl
        type: u8
        doc: "what they make, dead volume included [nl]"
      - id: dead_volume_nl
        type: u8
        doc: "priming and bridge boluses [nl]"
      - id: stalled_pulses
        type: u8
        doc: "motor steps commanded while an alarm of a stalled rotor stood [steps]"
      - id: boots
        type: u2
        doc: "how often it has started"
      - id: repairs
        type: u4
        doc: "copies of a record that were lost and made anew [repairs]"
  battery_request:
    seq: []
  battery_answer:
    seq:
      - id: idle_mv
        type: u2
        doc: "the cell at rest [mV]"
      - id: loaded_mv
        type: u2
        doc: "the cell under the motor's load [mV]"
      - id: temperature_cc
        type: s2
        doc: "the temperature [0.01 C]"
      - id: replacement_since_s
        type: u4
        doc: "elapsed time of the alarm REPLACEMENT; FFFFFFFF = not raised yet [s]"
      - id: end_of_service_s
        type: u4
        doc: "elapsed time at which service ends, as far as is known now [s]"
  reservoir_request:
    seq: []
  reservoir_answer:
    doc: "The content as computed; times to come count from now, and are FFFFFFFF for never or not known."
    seq:
      - id: volume_nl
        type: u4
        doc: "computed from the last refill and motor steps since [nl]"
      - id: capacity_nl
        type: u4
        doc: "a full reservoir [nl]"
      - id: refilled_s
        type: u4
        doc: "elapsed time of the last refill; FFFFFFFF = none yet [s]"
      - id: filled_nl
        type: u4
        doc: "what it held after that [nl]"
      - id: discrepancy_nl
        type: s4
        doc: "what was withdrawn then, less what had been computed [nl]"
      - id: low_in_s
        type: u4
        doc: "until the low reservoir alarm, at the program's own flow [s]"
      - id: refill_in_s
        type: u4
        doc: "until it, if the patient takes every bolus that the program allows [s]"
      - id: stability_in_s
        type: u4
        doc: "until a drug is no longer stable [s]"
  program_begin_request:
    seq: []
  program_begin_answer:
    seq:
      - id: stage_id
        type: u4
        doc: "names the new, empty stage of this session"
  program_write_request:
    seq:
      - id: stage_id
        type: u4
        doc: "of PROGRAM_BEGIN's answer"
      - id: block
        type: u1
        enum: block
        valid:
          in-enum: true
        doc: "which block; not IMAGE"
      - id: offset
        type: u2
        doc: "how many bytes of the block have been written before; 0 begins it anew [bytes]"
      - id: len_data
        type: u1
        valid:
          max: 192
      - id: data
        size: len_data
        doc: "the next bytes of the block [bytes]"
  program_write_answer:
    seq:
      - id: written
        type: u2
        doc: "how many bytes of the block have been written now [bytes]"
  program_validate_request:
    seq:
      - id: stage_id
        type: u4
        doc: "of PROGRAM_BEGIN's answer"
  program_validate_answer:
    doc: "What will really run, in brief; STAGE_READ gives all of it."
    seq:
      - id: crc32
        type: u4
        doc: "of the canonical image: PROGRAM_COMMIT quotes it"
      - id: image_size
        type: u2
        doc: "of the canonical image [bytes]"
      - id: mode
        type: u1
        enum: mode
        valid:
          in-enum: true
        doc: "what kind of program it is"
      - id: rate_nl_per_day
        type: u4
        doc: "the volume of a day on average over a week, programmed doses included [nl/d]"
      - id: steps_per_day
        type: u4
        doc: "whole motor steps of such a day [steps]"
      - id: low_reservoir_in_s
        type: u4
        doc: "until the low level, at the program's own flow; FFFFFFFF = never [s]"
      - id: low_reservoir_unix_s
        type: u4
        doc: "when that is, Unix time in UTC; FFFFFFFF = unknown [s]"
      - id: warnings
        type: warnings
        doc: "what a clinician should be told; unknown bits are to be shown"
      - id: window_peak_nl
        type: u4
        doc: "the most in any 24 h, with all boluses that the patient is allowed [nl]"
      - id: boluses_per_day_max
        type: u2
        doc: "the most of these in any 24 h [boluses]"
      - id: refill_in_s
        type: u4
        doc: "until the low level, if the patient takes all of them; FFFFFFFF = never [s]"
      - id: refill_unix_s
        type: u4
        doc: "when that is, Unix time in UTC; FFFFFFFF = unknown [s]"
      - id: stability_in_s
        type: u4
        doc: "until a drug is no longer stable; FFFFFFFF = not known [s]"
  stage_read_request:
    seq:
      - id: stage_id
        type: u4
        doc: "of PROGRAM_BEGIN's answer"
      - id: block
        type: u1
        enum: block
        valid:
          in-enum: true
        doc: "which block of the validated stage"
      - id: offset
        type: u2
        doc: "from which byte of the block on [bytes]"
      - id: length
        type: u1
        valid:
          min: 1
          max: 192
        doc: "at most so many [bytes]"
  stage_read_answer:
    seq:
      - id: block_size
        type: u2
        doc: "the whole block [bytes]"
      - id: len_data
        type: u1
        valid:
          max: 192
      - id: data
        size: len_data
        doc: "the bytes that were asked for, as far as there are any [bytes]"
  program_commit_request:
    seq:
      - id: stage_id
        type: u4
        doc: "of PROGRAM_BEGIN's answer"
      - id: crc32
        type: u4
        doc: "of PROGRAM_VALIDATE's answer"
      - id: op_id
        type: u4
        valid:
          min: 1
          max: 4294967294
        doc: "the host's id of this intention"
      - id: therapy_rev
        type: u4
        doc: "the revision of a complete OP_LIST that the host has booked"
  program_commit_answer:
    seq:
      - id: op_id
        type: u4
        doc: "the command's op id"
      - id: state
        type: u1
        enum: op_state
        valid:
          in-enum: true
        doc: "its outcome so far"
      - id: flags
        type: op_flag
        doc: "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it"
      - id: delivered_min_nl
        type: u4
        doc: "delivered at least [nl]"
      - id: delivered_max_nl
        type: u4
        doc: "delivered at most [nl]"
      - id: log_sequence
        type: u4
        doc: "the log record of this op"
  program_abort_request:
    seq:
      - id: stage_id
        type: u4
        doc: "of PROGRAM_BEGIN's answer"
  program_abort_answer:
    seq: []
  stop_request:
    seq:
      - id: op_id
        type: u4
        valid:
          min: 1
          max: 4294967294
        doc: "the host's id of this intention"
      - id: therapy_rev
        type: u4
        doc: "the revision of a complete OP_LIST that the host has booked; any is taken"
  stop_answer:
    seq:
      - id: op_id
        type: u4
        doc: "the command's op id"
      - id: state
        type: u1
        enum: op_state
        valid:
          in-enum: true
        doc: "its outcome so far"
      - id: flags
        type: op_flag
        doc: "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it"
      - id: delivered_min_nl
        type: u4
        doc: "delivered at least [nl]"
      - id: delivered_max_nl
        type: u4
        doc: "delivered at most [nl]"
      - id: log_sequence
        type: u4
        doc: "the log record of this op"
      - id: target_op_id
        type: u4
        doc: "the op that was ended; 0 = none was running"
      - id: target_min_nl
        type: u4
        doc: "it delivered at least [nl]"
      - id: target_max_nl
        type: u4
        doc: "it delivered at most [nl]"
      - id: target_reason
        type: u1
        enum: bolus_end_reason
        valid:
          in-enum: true
        doc: "why it ended"
  start_request:
    seq:
      - id: op_id
        type: u4
        valid:
          min: 1
          max: 4294967294
        doc: "the host's id of this intention"
      - id: therapy_rev
        type: u4
        doc: "the revision of a complete OP_LIST that the host has booked"
  start_answer:
    seq:
      - id: op_id
        type: u4
        doc: "the command's op id"
      - id: state
        type: u1
        enum: op_state
        valid:
          in-enum: true
        doc: "its outcome so far"
      - id: flags
        type: op_flag
        doc: "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it"
      - id: delivered_min_nl
        type: u4
        doc: "delivered at least [nl]"
      - id: delivered_max_nl
        type: u4
        doc: "delivered at most [nl]"
      - id: log_sequence
        type: u4
        doc: "the log record of this op"
  bolus_prepare_request:
    seq:
      - id: kind
        type: u1
        enum: bolus_kind
        valid:
          in-enum: true
        doc: "SINGLE, PRIMING or BRIDGE; the others begin otherwise"
      - id: volume_nl
        type: u4
        doc: "the volume; PRIMING, BRIDGE: 0 = what the pump computes [nl]"
      - id: volume_complement
        type: u4
        valid:
          expr: "_ + volume_nl == 0xffffffff"
        doc: "volume_nl with every bit turned"
      - id: duration_s
        type: u4
        doc: "over how long; PRIMING, BRIDGE: 0 = what the pump computes [s]"
  bolus_prepare_answer:
    seq:
      - id: bolus_id
        type: u4
        doc: "names the prepared bolus; never used again"
      - id: volume_nl
        type: u4
        doc: "the volume in whole motor steps: EXECUTE quotes this one [nl]"
      - id: duration_s
        type: u4
        doc: "the duration [s]"
      - id: steps
        type: u4
        doc: "motor steps [steps]"
      - id: lease_s
        type: u2
        doc: "how long EXECUTE may take to come [s]"
      - id: available_nl
        type: u4
        doc: "the most that the limits would admit now [nl]"
  bolus_execute_request:
    seq:
      - id: bolus_id
        type: u4
        doc: "of PREPARE's answer"
      - id: volume_nl
        type: u4
        doc: "of PREPARE's answer [nl]"
      - id: volume_complement
        type: u4
        valid:
          expr: "_ + volume_nl == 0xffffffff"
        doc: "volume_nl with every bit turned"
      - id: duration_s
        type: u4
        doc: "of PREPARE's answer [s]"
      - id: op_id
        type: u4
        valid:
          min: 1
          max: 4294967294
        doc: "the host's id of this intention"
      - id: therapy_rev
        type: u4
        doc: "the revision of a complete OP_LIST that the host has booked"
  bolus_execute_answer:
    seq:
      - id: op_id
        type: u4
        doc: "the command's op id"
      - id: state
        type: u1
        enum: op_state
        valid:
          in-enum: true
        doc: "its outcome so far"
      - id: flags
        type: op_flag
        doc: "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it"
      - id: delivered_min_nl
        type: u4
        doc: "delivered at least [nl]"
      - id: delivered_max_nl
        type: u4
        doc: "delivered at most [nl]"
      - id: log_sequence
        type: u4
        doc: "the log record of this op"
      - id: bolus_id
        type: u4
        doc: "the bolus that runs"
      - id: volume_nl
        type: u4
        doc: "its volume [nl]"
      - id: duration_s
        type: u4
        doc: "its duration [s]"
  bolus_cancel_request:
    seq:
      - id: bolus_id
        type: u4
        doc: "the bolus to end"
      - id: op_id
        type: u4
        valid:
          min: 1
          max: 4294967294
        doc: "the host's id of this intention"
      - id: therapy_rev
        type: u4
        doc: "the revision of a complete OP_LIST that the host has booked; any is taken"
  bolus_cancel_answer:
    seq:
      - id: op_id
        type: u4
        doc: "the command's op id"
      - id: state
        type: u1
        enum: op_state
        valid:
          in-enum: true
        doc: "its outcome so far"
      - id: flags
        type: op_flag
        doc: "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it"
      - id: delivered_min_nl
        type: u4
        doc: "delivered at least [nl]"
      - id: delivered_max_nl
        type: u4
        doc: "delivered at most [nl]"
      - id: log_sequence
        type: u4
        doc: "the log record of this op"
      - id: target_op_id
        type: u4
        doc: "the op that was ended; 0 = none was running"
      - id: target_min_nl
        type: u4
        doc: "it delivered at least [nl]"
      - id: target_max_nl
        type: u4
        doc: "it delivered at most [nl]"
      - id: target_reason
        type: u1
        enum: bolus_end_reason
        valid:
          in-enum: true
        doc: "why it ended"
  patient_bolus_request:
    doc: "Volume, duration and all that limits it are the program's."
    seq:
      - id: op_id
        type: u4
        valid:
          min: 1
          max: 4294967294
        doc: "the host's id of this intention"
      - id: therapy_rev
        type: u4
        doc: "the revision of a complete OP_LIST that the host has booked"
  patient_bolus_answer:
    seq:
      - id: op_id
        type: u4
        doc: "the command's op id"
      - id: state
        type: u1
        enum: op_state
        valid:
          in-enum: true
        doc: "its outcome so far"
      - id: flags
        type: op_flag
        doc: "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it"
      - id: delivered_min_nl
        type: u4
        doc: "delivered at least [nl]"
      - id: delivered_max_nl
        type: u4
        doc: "delivered at most [nl]"
      - id: log_sequence
        type: u4
        doc: "the log record of this op"
      - id: bolus_id
        type: u4
        doc: "the bolus that runs; FFFFFFFF in a REPEATED answer"
      - id: volume_nl
        type: u4
        doc: "its volume; FFFFFFFF in a REPEATED answer [nl]"
      - id: duration_s
        type: u4
        doc: "its duration; FFFFFFFF in a REPEATED answer [s]"
  alarm_list_request:
    seq:
      - id: from_instance
        type: u2
        doc: "lists alarms from this instance on; 0 = from the first"
  alarm_entry:
    doc: "An alarm, and the pump as it was at that moment."
    seq:
      - id: instance
        type: u2
        doc: "names this alarm"
      - id: type
        type: u2
        enum: alarm_type
        valid:
          in-enum: true
        doc: "what is the matter"
      - id: priority
        type: u1
        enum: priority
        valid:
          in-enum: true
        doc: "how bad"
      - id: state
        type: u1
        enum: alarm_state
        valid:
          in-enum: true
        doc: "raised, acknowledged or cleared"
      - id: elapsed_s
        type: u4
        doc: "when it was raised, in elapsed time [s]"
      - id: steps
        type: u8
        doc: "lifetime motor steps then [steps]"
      - id: rate_nl_per_day
        type: u4
        doc: "the base rate then [nl/d]"
      - id: reservoir_nl
        type: u4
        doc: "the reservoir then [nl]"
      - id: battery_mv
        type: u2
        doc: "the battery then; FFFF = not known [mV]"
      - id: last_op_id
        type: u4
        doc: "the last op before it; 0 = none"
      - id: silent_until_s
        type: u4
        doc: "silenced until this elapsed time; 0 = not silenced [s]"
  alarm_list_answer:
    seq:
      - id: total
        type: u1
        doc: "how many are held in all [alarms]"
      - id: num_alarms
        type: u1
        valid:
          max: 6
      - id: alarms
        type: alarm_entry
        repeat: expr
        repeat-expr: num_alarms
        doc: "by rising instance"
  alarm_ack_request:
    seq:
      - id: instance
        type: u2
        doc: "the alarm that a person has seen"
  alarm_ack_answer:
    seq:
      - id: instance
        type: u2
        doc: "the alarm"
      - id: state
        type: u1
        enum: alarm_state
        valid:
          in-enum: true
        doc: "its state now"
  alarm_clear_request:
    seq:
      - id: instance
        type: u2
        doc: "the alarm to end"
  alarm_clear_answer:
    seq:
      - id: instance
        type: u2
        doc: "the alarm"
      - id: state
        type: u1
        enum: alarm_state
        valid:
          in-enum: true
        doc: "its state now"
      - id: raised_again
        type: u2
        doc: "the new instance, for its cause is still there; 0 = the cause is gone"
  alarm_snapshot_request:
    seq:
      - id: instance
        type: u2
        doc: "the alarm"
  alarm_snapshot_answer:
    seq:
      - id: instance
        type: u2
        doc: "names this alarm"
      - id: type
        type: u2
        enum: alarm_type
        valid:
          in-enum: true
        doc: "what is the matter"
      - id: priority
        type: u1
        enum: priority
        valid:
          in-enum: true
        doc: "how bad"
      - id: state
        type: u1
        enum: alarm_state
        valid:
          in-enum: true
        doc: "raised, acknowledged or cleared"
      - id: elapsed_s
        type: u4
        doc: "when it was raised, in elapsed time [s]"
      - id: steps
        type: u8
        doc: "lifetime motor steps then [steps]"
      - id: rate_nl_per_day
        type: u4
        doc: "the base rate then [nl/d]"
      - id: reservoir_nl
        type: u4
        doc: "the reservoir then [nl]"
      - id: battery_mv
        type: u2
        doc: "the battery then; FFFF = not known [mV]"
      - id: last_op_id
        type: u4
        doc: "the last op before it; 0 = none"
      - id: silent_until_s
        type: u4
        doc: "silenced until this elapsed time; 0 = not silenced [s]"
  alarm_silence_request:
    seq:
      - id: instance
        type: u2
        doc: "the alarm that is to be silent for a while"
  alarm_silence_answer:
    seq:
      - id: instance
        type: u2
        doc: "the alarm"
      - id: silent_until_s
        type: u4
        doc: "the elapsed time until which it is silent; its state is as before [s]"
  log_status_request:
    seq: []
  log_status_answer:
    seq:
      - id: epoch
        type: u2
        doc: "the log's epoch"
      - id: first
        type: u4
        doc: "the first sequence that is held; 0 = the log is empty"
      - id: last
        type: u4
        doc: "the last sequence; 0 = the log is empty"
      - id: capacity
        type: u4
        doc: "how many records it holds [records]"
  log_read_request:
    seq:
      - id: epoch
        type: u2
        doc: "the epoch that the host reads"
      - id: from_sequence
        type: u4
        doc: "the first record wanted"
      - id: maximum
        type: u1
        valid:
          min: 1
          max: 4
        doc: "at most so many records [records]"
  log_record:
    doc: "One event. 48 bytes; the CRC-32 covers the 44 before it."
    seq:
      - id: sequence
        type: u4
        doc: "rises by one, never begins again"
      - id: epoch
        type: u2
        doc: "new when the log is begun anew"
      - id: boot
        type: u2
        doc: "the number of the boot"
      - id: elapsed_s
        type: u4
        doc: "elapsed time [s]"
      - id: rtc_unix_s
        type: u4
        doc: "Unix time in UTC; 0 = the clock is not set [s]"
      - id: type
        type: u2
        doc: "LogType; skip one that you do not know"
      - id: flags
        type: u1
        doc: "none defined"
      - id: data_length
        type: u1
        valid:
          max: 20
        doc: "how many bytes of data count [bytes]"
      - id: op_id
        type: u4
        doc: "the op that it belongs to; 0 = none"
      - id: data
        size: 20
        doc: "by type, filled up with zeros"
      - id: crc32
        type: u4
        doc: "over all bytes of it before; to be compared by the reader"
    instances:
      record:
        pos: 24
        size: data_length
        type:
          switch-on: type
          cases:
            "0x1": boot_data
            "0x101": therapy_started_data
            "0x102": therapy_stopped_data
            "0x103": bolus_started_data
            "0x104": bolus_ended_data
            "0x105": bolus_cancelled_data
            "0x201": alarm_raised_data
            "0x202": alarm_acknowledged_data
            "0x106": program_changed_data
            "0x301": session_taken_over_data
            "0x302": authentication_failed_data
            "0x303": keys_replaced_data
            "0x203": alarm_cleared_data
            "0x204": alarm_silenced_data
            "0x107": delivered_data
            "0x205": stall_ended_data
            "0x108": refilled_data
            "0x2": time_set_data
            "0x3": memory_repaired_data
            "0x109": program_begun_data
            "0xffff": corrupt_data
        doc: "the data, by the table of its type; as bytes where the type is not known"
  log_read_answer:
    seq:
      - id: next_sequence
        type: u4
        doc: "what to ask for next"
      - id: num_records
        type: u1
        valid:
          max: 4
      - id: records
        type: log_record
        size: 48
        repeat: expr
        repeat-expr: num_records
        doc: "by rising sequence"
  log_find_by_elapsed_request:
    seq:
      - id: epoch
        type: u2
        doc: "the epoch that the host reads"
      - id: elapsed_s
        type: u4
        doc: "elapsed time [s]"
  log_find_by_elapsed_answer:
    seq:
      - id: sequence
        type: u4
        doc: "the first record held of that time or later; the next one to come if there is none"
  subscribe_request:
    seq:
      - id: fields
        type: telemetry_field
        doc: "what each event is to tell; 0: nothing but its head; unknown bits are NAK 31"
      - id: period_s
        type: u2
        valid:
          min: 1
        doc: "between two events, within the limits of CAPS [s]"
  subscribe_answer:
    seq:
      - id: next_sequence
        type: u2
        doc: "the stream sequence of the next event, which follows at once"
  unsubscribe_request:
    seq: []
  unsubscribe_answer:
    seq:
      - id: next_sequence
        type: u2
        doc: "what the next event would have had: events up to there have been sent or dropped"
  reset_flags_request:
    seq:
      - id: changed
        type: changed_flag
        doc: "which flags; unknown bits are skipped"
      - id: log_epoch
        type: u2
        doc: "the epoch of the log that the host has read"
      - id: log_sequence
        type: u4
        doc: "the record up to which it has: flags that were set again since stay set"
  reset_flags_answer:
    seq:
      - id: changed
        type: changed_flag
        doc: "the flags of the role that are still set"
  time_read_request:
    seq: []
  time_read_answer:
    seq:
      - id: elapsed_s
        type: u4
        doc: "elapsed time since the first power-up; never goes back [s]"
      - id: rtc_unix_s
        type: u4
        doc: "Unix time in UTC; 0 = the clock is not set [s]"
      - id: offset_min
        type: s2
        doc: "local time minus UTC [min]"
  time_set_request:
    seq:
      - id: unix_s
        type: u4
        doc: "Unix time in UTC [s]"
      - id: offset_min
        type: s2
        doc: "local time minus UTC [min]"
      - id: op_id
        type: u4
        valid:
          min: 1
          max: 4294967294
        doc: "the host's id of this intention"
      - id: therapy_rev
        type: u4
        doc: "the revision of a complete OP_LIST that the host has booked"
  time_set_answer:
    seq:
      - id: op_id
        type: u4
        doc: "the command's op id"
      - id: state
        type: u1
        enum: op_state
        valid:
          in-enum: true
        doc: "its outcome so far"
      - id: flags
        type: op_flag
        doc: "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it"
      - id: delivered_min_nl
        type: u4
        doc: "delivered at least [nl]"
      - id: delivered_max_nl
        type: u4
        doc: "delivered at most [nl]"
      - id: log_sequence
        type: u4
        doc: "the log record of this op"
      - id: base_rate_nl_per_day
        type: u4
        doc: "the base rate that flows now, by the new clock [nl/d]"
  selftest_request:
    seq: []
  selftest_answer:
    seq:
      - id: failed
        type: self_test_part
        doc: "what failed; 0 = all is well; unknown bits are to be shown"
  refill_begin_request:
    seq: []
  refill_begin_answer:
    seq:
      - id: refill_id
        type: u4
        doc: "names this refill; an older one, of any session, is void"
      - id: computed_nl
        type: u4
        doc: "what the reservoir should hold, to compare with what is withdrawn [nl]"
  refill_drug:
    doc: "A place for a drug; an empty name with concentration 0 is an empty place."
    seq:
      - id: name
        type: text
        size: 16
        doc: "the drug"
      - id: concentration_ng_per_ml
        type: u4
        doc: "its concentration in what was filled in [ng/mL]"
  refill_commit_request:
    seq:
      - id: refill_id
        type: u4
        doc: "of REFILL_BEGIN's answer"
      - id: measured_nl
        type: u4
        doc: "what was withdrawn [nl]"
      - id: volume_nl
        type: u4
        doc: "what the reservoir holds now [nl]"
      - id: volume_complement
        type: u4
        valid:
          expr: "_ + volume_nl == 0xffffffff"
        doc: "volume_nl with every bit turned"
      - id: drugs
        type: refill_drug
        repeat: expr
        repeat-expr: 5
        doc: "used places first; all empty = not said"
      - id: op_id
        type: u4
        valid:
          min: 1
          max: 4294967294
        doc: "the host's id of this intention"
      - id: therapy_rev
        type: u4
        doc: "the revision of a complete OP_LIST that the host has booked"
  refill_commit_answer:
    seq:
      - id: op_id
        type: u4
        doc: "the command's op id"
      - id: state
        type: u1
        enum: op_state
        valid:
          in-enum: true
        doc: "its outcome so far"
      - id: flags
        type: op_flag
        doc: "REPEATED: the ledger held it already; NOT_ENTERED: it does not hold it"
      - id: delivered_min_nl
        type: u4
        doc: "delivered at least [nl]"
      - id: delivered_max_nl
        type: u4
        doc: "delivered at most [nl]"
      - id: log_sequence
        type: u4
        doc: "the log record of this op"
  op_query_request:
    seq:
      - id: role
        type: u1
        enum: role
        valid:
          in-enum: true
        doc: "whose op"
      - id: op_id
        type: u4
        valid:
          min: 1
          max: 4294967294
        doc: "the op in question"
  op_query_answer:
    seq:
      - id: epoch
        type: u2
        doc: "the log's epoch"
      - id: role
        type: u1
        enum: role
        valid:
          in-enum: true
        doc: "whose op"
      - id: op_high
        type: u4
        doc: "the highest op id that this role has used; 0 = none"
      - id: state
        type: u1
        enum: op_state
        valid:
          in-enum: true
        doc: "what became of it; without an entry, the fields below are 0"
      - id: op_id
        type: u4
        doc: "the op in question"
      - id: host_id
        type: u4
        doc: "which host's"
      - id: opcode
        type: u2
        doc: "the command's opcode"
      - id: payload_hash
        size: 8
        doc: "first 8 bytes of SHA-256 over opcode and payload without therapy_rev"
      - id: delivered_min_nl
        type: u4
        doc: "delivered at least [nl]"
      - id: delivered_max_nl
        type: u4
        doc: "delivered at most [nl]"
      - id: log_sequence
        type: u4
        doc: "the log record of this op"
  op_list_request:
    seq:
      - id: page
        type: u1
        doc: "from 0"
  op_entry:
    doc: "One outcome of the ledger."
    seq:
      - id: role
        type: u1
        enum: role
        valid:
          in-enum: true
        doc: "whose op"
      - id: op_id
        type: u4
        doc: "its id"
      - id: host_id
        type: u4
        doc: "which host's"
      - id: opcode
        type: u2
        doc: "the command's opcode"
      - id: payload_hash
        size: 8
        doc: "first 8 bytes of SHA-256 over opcode and payload without therapy_rev"
      - id: state
        type: u1
        enum: op_state
        valid:
          in-enum: true
        doc: "its outcome"
      - id: delivered_min_nl
        type: u4
        doc: "delivered at least [nl]"
      - id: delivered_max_nl
        type: u4
        doc: "delivered at most [nl]"
      - id: log_sequence
        type: u4
        doc: "the log record of this op"
  op_list_answer:
    seq:
      - id: epoch
        type: u2
        doc: "the log's epoch"
      - id: therapy_rev
        type: u4
        doc: "the current revision; a list whose pages differ in it is read again"
      - id: page
        type: u1
        doc: "this page, from 0"
      - id: pages
        type: u1
        doc: "how many pages there are, at least 1"
      - id: clinician_op_high
        type: u4
        doc: "the highest op id that clinicians have used; 0 = none"
      - id: patient_op_high
        type: u4
        doc: "the highest op id that patients have used; 0 = none"
      - id: num_ops
        type: u1
        valid:
          max: 6
      - id: ops
        type: op_entry
        repeat: expr
        repeat-expr: num_ops
        doc: "of all roles, oldest first"
  stream_event:
    doc: "From the pump, of its own accord. A field is there when its bit in `fields` is set, in the order of the bits."
    seq:
      - id: stream_sequence
        type: u2
        doc: "rises by one with every event of the session, sent or dropped; 0 follows FFFF"
      - id: elapsed_s
        type: u4
        doc: "elapsed time [s]"
      - id: changed
        type: changed_flag
        doc: "the latched flags of the session's role"
      - id: log_epoch
        type: u2
        doc: "the log's epoch"
      - id: log_last
        type: u4
        doc: "the last log sequence; 0 = the log is empty"
      - id: fields
        type: telemetry_field
        doc: "which fields follow; those of unknown bits come last"
      - id: run_state
        type: u1
        enum: run_state
        valid:
          in-enum: true
        doc: "whether therapy runs"
        if: fields.run_state
      - id: stop_reason
        type: u1
        enum: stop_reason
        valid:
          in-enum: true
        doc: "why it does not"
        if: fields.run_state
      - id: alarms_raised
        type: u1
        doc: "alarms that are not cleared [alarms]"
        if: fields.alarms
      - id: alarms_unacknowledged
        type: u1
        doc: "alarms that nobody has acknowledged [alarms]"
        if: fields.alarms
      - id: therapy_rev
        type: u4
        doc: "the current revision; for display only, quote none but OP_LIST's"
        if: fields.therapy_rev
      - id: base_rate_nl_per_day
        type: u4
        doc: "the base rate that flows now; 0 while stopped [nl/d]"
        if: fields.rate
      - id: programmed_rate_nl_per_day
        type: u4
        doc: "the base rate that START resumes [nl/d]"
        if: fields.rate
      - id: reservoir_nl
        type: u4
        doc: "the reservoir's content as computed from motor steps [nl]"
        if: fields.reservoir
      - id: bolus_id
        type: u4
        doc: "the running bolus; 0 = none"
        if: fields.bolus
      - id: bolus_volume_nl
        type: u4
        doc: "its volume [nl]"
        if: fields.bolus
      - id: bolus_delivered_nl
        type: u4
        doc: "what it has delivered so far [nl]"
        if: fields.bolus
      - id: bolus_remaining_s
        type: u4
        doc: "until its end [s]"
        if: fields.bolus
      - id: delivered_nl
        type: u8
        doc: "delivered in the pump's life [nl]"
        if: fields.delivered
      - id: boot
        type: u2
        doc: "the number of this boot"
        if: fields.boot
      - id: rtc_unix_s
        type: u4
        doc: "Unix time in UTC; 0 = the clock is not set [s]"
        if: fields.clock
      - id: offset_min
        type: s2
        doc: "local time less UTC [min]"
        if: fields.clock
      - id: idle_mv
        type: u2
        doc: "the cell at rest [mV]"
        if: fields.battery
      - id: loaded_mv
        type: u2
        doc: "the cell under the motor's load [mV]"
        if: fields.battery
      - id: temperature_cc
        type: s2
        doc: "the temperature [0.01 C]"
        if: fields.battery
  drug_entry:
    doc: "A place for a drug; one whose name is empty and whose numbers are 0 is an empty place."
    seq:
      - id: name
        type: text
        size: 16
        doc: "the drug"
      - id: concentration_ng_per_ml
        type: u4
        doc: "for display: the pump meters volume [ng/mL]"
      - id: stability_days
        type: u2
        doc: "how long it may stay in the reservoir; 0 = not said [days]"
  drugs_block:
    doc: "The mixture. Used places come first; there are always five, so that the block has one size."
    seq:
      - id: drugs
        type: drug_entry
        repeat: expr
        repeat-expr: 5
        doc: "five places, used or empty"
  infusion_block:
    doc: "How the program infuses. A field that the mode does not use becomes 0."
    seq:
      - id: mode
        type: u1
        enum: mode
        valid:
          in-enum: true
        doc: "what kind of program it is"
      - id: rate_nl_per_day
        type: u4
        doc: "SIMPLE_CONTINUOUS: the rate; PERIODIC_BOLUS: between doses, 0 = none; FLEX: while the clock is lost [nl/d]"
      - id: dose_volume_nl
        type: u4
        doc: "SINGLE_BOLUS, PERIODIC_BOLUS: a dose [nl]"
      - id: dose_duration_s
        type: u4
        doc: "SINGLE_BOLUS, PERIODIC_BOLUS: over how long it is given [s]"
      - id: dose_interval_s
        type: u4
        doc: "PERIODIC_BOLUS: from the start of one dose to that of the next [s]"
  change_entry:
    doc: "A place for a change of rate; one with start FFFF and rate 0 is an empty place."
    seq:
      - id: start_min
        type: u2
        doc: "minute of the day, from 0 to 1439 [min]"
      - id: rate_nl_per_day
        type: u4
        doc: "the rate from then on, until the next change [nl/d]"
  schedule_block:
    doc: "FLEX: the rates of each day of the week in local time; in other modes all places become empty."
    seq:
      - id: monday
        type: change_entry
        repeat: expr
        repeat-expr: 13
        doc: "thirteen places, used or empty; used places come first, the first of them at minute 0"
      - id: tuesday
        type: change_entry
        repeat: expr
        repeat-expr: 13
        doc: "thirteen places, used or empty; used places come first, the first of them at minute 0"
      - id: wednesday
        type: change_entry
        repeat: expr
        repeat-expr: 13
        doc: "thirteen places, used or empty; used places come first, the first of them at minute 0"
      - id: thursday
        type: change_entry
        repeat: expr
        repeat-expr: 13
        doc: "thirteen places, used or empty; used places come first, the first of them at minute 0"
      - id: friday
        type: change_entry
        repeat: expr
        repeat-expr: 13
        doc: "thirteen places, used or empty; used places come first, the first of them at minute 0"
      - id: saturday
        type: change_entry
        repeat: expr
        repeat-expr: 13
        doc: "thirteen places, used or empty; used places come first, the first of them at minute 0"
      - id: sunday
        type: change_entry
        repeat: expr
        repeat-expr: 13
        doc: "thirteen places, used or empty; used places come first, the first of them at minute 0"
  patient_block:
    doc: "The bolus that the patient may give himself; all 0 = none."
    seq:
      - id: volume_nl
        type: u4
        doc: "its volume [nl]"
      - id: duration_s
        type: u4
        doc: "over how long it is given [s]"
      - id: lockout_s
        type: u4
        doc: "the least time from the start of one to that of the next [s]"
      - id: window_s
        type: u4
        doc: "the time in which they are counted [s]"
      - id: activations_max
        type: u2
        doc: "the most of them in any such time [boluses]"
  limits_block:
    doc: "The clinician's own limits, within the pump's."
    seq:
      - id: rate_max_nl_per_day
        type: u4
        doc: "the greatest base rate that may be programmed [nl/d]"
      - id: bolus_volume_max_nl
        type: u4
        doc: "the greatest bolus that may be prepared or programmed [nl]"
      - id: window_max_nl
        type: u4
        doc: "the most volume in any 24 h, base and boluses together [nl]"
  alarms_block:
    doc: "When the pump warns of its reservoir, and how often its alarms sound."
    seq:
      - id: low_reservoir_nl
        type: u4
        doc: "the level of the low reservoir alarm [nl]"
      - id: critical_repeat_min
        type: u2
        doc: "a critical alarm: after how long it sounds again; 0 = as the pump does by itself [min]"
      - id: non_critical_repeat_min
        type: u2
        doc: "a non-critical alarm: after how long it sounds again; 0 = as the pump does by itself [min]"
  catheter_block:
    doc: "What lies behind the pump: the volume that priming and bridge boluses move, beside its own tubing."
    seq:
      - id: catheter_nl
        type: u4
        doc: "what the implanted catheter holds, as the clinician knows it; 0 = unknown [nl]"
  boot_data:
    seq:
      - id: reset_reason
        type: u1
        enum: reset_reason
        valid:
          in-enum: true
        doc: "why it started"
      - id: memory
        type: u1
        enum: memory_condition
        valid:
          in-enum: true
        doc: "how the memory was found"
      - id: generation
        type: u4
        doc: "generation of the control record"
  therapy_started_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "whose command it was (Role); 0 = the pump's own doing"
      - id: host_id
        type: u4
        doc: "whose command it was; 0 = the pump's own doing, or an INSECURE session"
      - id: rate_nl_per_day
        type: u4
        doc: "the base rate [nl/d]"
  therapy_stopped_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "whose command it was (Role); 0 = the pump's own doing"
      - id: host_id
        type: u4
        doc: "whose command it was; 0 = the pump's own doing, or an INSECURE session"
      - id: reason
        type: u1
        enum: stop_reason
        valid:
          in-enum: true
        doc: why
      - id: bolus_id
        type: u4
        doc: "the bolus that was running; 0 = none"
      - id: delivered_max_nl
        type: u4
        doc: "what it delivered at most [nl]"
  bolus_started_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "whose command it was (Role); 0 = the pump's own doing"
      - id: host_id
        type: u4
        doc: "whose command it was; 0 = the pump's own doing, or an INSECURE session"
      - id: bolus_id
        type: u4
        doc: "the bolus"
      - id: volume_nl
        type: u4
        doc: "its volume [nl]"
      - id: duration_s
        type: u4
        doc: "its duration [s]"
      - id: kind
        type: u1
        enum: bolus_kind
        valid:
          in-enum: true
        doc: "what it is for"
  bolus_ended_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "whose bolus it was (Role)"
      - id: host_id
        type: u4
        doc: "whose bolus it was"
      - id: reason
        type: u1
        enum: bolus_end_reason
        valid:
          in-enum: true
        doc: "why it ended"
      - id: bolus_id
        type: u4
        doc: "the bolus"
      - id: delivered_min_nl
        type: u4
        doc: "delivered at least [nl]"
      - id: delivered_max_nl
        type: u4
        doc: "delivered at most [nl]"
  bolus_cancelled_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "whose command it was (Role); 0 = the pump's own doing"
      - id: host_id
        type: u4
        doc: "whose command it was; 0 = the pump's own doing, or an INSECURE session"
      - id: bolus_id
        type: u4
        doc: "the bolus that was cancelled"
      - id: target_op_id
        type: u4
        doc: "the op that had started it"
  alarm_raised_data:
    seq:
      - id: instance
        type: u2
        doc: "the alarm"
      - id: type
        type: u2
        enum: alarm_type
        valid:
          in-enum: true
        doc: "what is the matter"
      - id: priority
        type: u1
        enum: priority
        valid:
          in-enum: true
        doc: "how bad"
      - id: reservoir_nl
        type: u4
        doc: "the reservoir then [nl]"
      - id: steps
        type: u8
        doc: "lifetime motor steps then [steps]"
  alarm_acknowledged_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "whose command it was (Role); 0 = the pump's own doing"
      - id: host_id
        type: u4
        doc: "whose command it was; 0 = the pump's own doing, or an INSECURE session"
      - id: instance
        type: u2
        doc: "the alarm"
      - id: type
        type: u2
        enum: alarm_type
        valid:
          in-enum: true
        doc: "what is the matter"
  program_changed_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "whose command it was (Role); 0 = the pump's own doing"
      - id: host_id
        type: u4
        doc: "whose command it was; 0 = the pump's own doing, or an INSECURE session"
      - id: crc32
        type: u4
        doc: "of the new program's canonical image"
      - id: mode
        type: u1
        enum: mode
        valid:
          in-enum: true
        doc: "what kind of program it is"
      - id: rate_nl_per_day
        type: u4
        doc: "the volume of a day on average over a week [nl/d]"
  session_taken_over_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "the role whose place was taken"
      - id: host_id
        type: u4
        doc: "who took it"
      - id: from_host_id
        type: u4
        doc: "whose it was"
  authentication_failed_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "the role of the last wrong cryptogram; 0 = there was none"
      - id: port
        type: u1
        doc: "the port of the last failure"
      - id: wrong_cryptograms
        type: u2
        doc: "AUTH requests with a wrong cryptogram"
      - id: wrong_tags
        type: u4
        doc: "secured frames whose tag did not verify [frames]"
  keys_replaced_data:
    seq:
      - id: test_keys
        type: u1
        valid:
          max: 1
        doc: "1: the new keys are the published ones"
  alarm_cleared_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "who cleared it (Role); 0 = its cause has gone"
      - id: host_id
        type: u4
        doc: "whose command it was; 0 = the pump's own doing, or an INSECURE session"
      - id: instance
        type: u2
        doc: "the alarm"
      - id: type
        type: u2
        enum: alarm_type
        valid:
          in-enum: true
        doc: "what was the matter"
  alarm_silenced_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "whose command it was (Role); 0 = the pump's own doing"
      - id: host_id
        type: u4
        doc: "whose command it was; 0 = the pump's own doing, or an INSECURE session"
      - id: instance
        type: u2
        doc: "the alarm that is silent for a while"
      - id: type
        type: u2
        enum: alarm_type
        valid:
          in-enum: true
        doc: "what is the matter"
  delivered_data:
    doc: "Told once a day: all of them, and what has come since, are what was delivered in the pump's life."
    seq:
      - id: steps
        type: u8
        doc: "lifetime motor steps then [steps]"
      - id: volume_nl
        type: u4
        doc: "what was delivered since the last such record [nl]"
  stall_ended_data:
    seq:
      - id: instance
        type: u2
        doc: "the alarm of this stall; 0 = none stands"
      - id: pulses
        type: u8
        doc: "lifetime motor steps commanded while a stalled rotor was known [steps]"
  refilled_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "whose command it was (Role); 0 = the pump's own doing"
      - id: host_id
        type: u4
        doc: "whose command it was; 0 = the pump's own doing, or an INSECURE session"
      - id: computed_nl
        type: u4
        doc: "what should have been left, as computed [nl]"
      - id: measured_nl
        type: u4
        doc: "what was withdrawn [nl]"
      - id: volume_nl
        type: u4
        doc: "what the reservoir holds now [nl]"
  time_set_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "whose command it was (Role); 0 = the pump's own doing"
      - id: host_id
        type: u4
        doc: "whose command it was; 0 = the pump's own doing, or an INSECURE session"
      - id: unix_s
        type: u4
        doc: "the new time: Unix time in UTC [s]"
      - id: offset_min
        type: s2
        doc: "local time minus UTC [min]"
      - id: rate_nl_per_day
        type: u4
        doc: "the base rate until then [nl/d]"
  memory_repaired_data:
    seq:
      - id: repairs
        type: u4
        doc: "how many copies were made anew [repairs]"
  program_begun_data:
    seq:
      - id: role
        type: u1
        valid:
          max: 3
        doc: "whose command it was (Role); 0 = the pump's own doing"
      - id: host_id
        type: u4
        doc: "whose command it was; 0 = the pump's own doing, or an INSECURE session"
      - id: crc32
        type: u4
        doc: "of the program that stands still until another is committed"
  corrupt_data:
    seq: []
  program_image:
    doc: "The canonical image of a program: all its blocks, with nothing between or behind them."
    seq:
      - id: drugs
        type: drugs_block
      - id: infusion
        type: infusion_block
      - id: schedule
        type: schedule_block
      - id: patient
        type: patient_block
      - id: limits
        type: limits_block
      - id: alarms
        type: alarms_block
      - id: catheter
        type: catheter_block
enums:
  result:
    15:
      id: ok
      doc: granted
    17:
      id: unknown_service
      doc: "no such service"
    18:
      id: unknown_op
      doc: "no such operation in this service"
    19:
      id: format
      doc: "payload too short or too long, or a value that no message may hold"
    33:
      id: busy
      doc: "another request is still unanswered"
    34:
      id: conditions
      doc: "not possible in the present state"
    36:
      id: sequence
      doc: "txn out of sequence"
    49:
      id: range
      doc: "a value outside its range"
    51:
      id: role
      doc: "this role may not do that"
    52:
      id: auth_required
      doc: "only within a session"
    53:
      id: key
      doc: "the cryptogram is wrong"
    54:
      id: attempts
      doc: "too many failed authentications"
    55:
      id: delay
      doc: "an authentication delay is running"
    114:
      id: memory_failure
      doc: "the memory could not be written or read"
    115:
      id: block_sequence
      doc: "a block written out of order, or missing; element = the block"
    120:
      id: pending
      doc: "received, not yet answered; this is not the answer"
    127:
      id: no_such_session
      doc: "this line has no such session"
    147:
      id: battery_low
      doc: "the cell is so weak that a reset would be its last: nothing new begins, and what flows goes on"
    160:
      id: below_minimum
      doc: "below the least possible"
    161:
      id: above_maximum
      doc: "above the most possible"
    162:
      id: not_quantizable
      doc: "not a whole number of quanta"
    163:
      id: lockout
      doc: "locked out after a bolus, a program or a refill; element = activations in the window, where they are used up"
    164:
      id: window_dose_limit
      doc: "more than the window of 24 h allows, or too many boluses in it"
    165:
      id: nothing_staged
      doc: "nothing is staged"
    166:
      id: stage_changed
      doc: "not what was validated, or therapy has changed since"
    167:
      id: lease_expired
      doc: "the lease of the prepared bolus ran out"
    168:
      id: no_such_bolus
      doc: "no bolus with this id"
    169:
      id: bolus_running
      doc: "a bolus is running"
    170:
      id: already_ended
      doc: "the bolus has already ended"
    171:
      id: already_in_state
      doc: "already so"
    172:
      id: alarm_blocks
      doc: "an alarm forbids it; element = its type"
    173:
      id: reservoir
      doc: "not enough in the reservoir"
    174:
      id: pump_stopped
      doc: "the pump is stopped"
    175:
      id: stalled
      doc: "the rotor does not turn"
    176:
      id: unresolved
      doc: "the quoted therapy_rev is not the current one; element = role of the last op"
    177:
      id: op_id_reused
      doc: "this op id was taken by another command or host"
    178:
      id: busy_other_host
      doc: "another host holds the clinician's place"
    179:
      id: redundancy_mismatch
      doc: "the complement does not match its value"
    180:
      id: record_overwritten
      doc: "the log no longer holds that record: a gap"
    181:
      id: record_corrupt
      doc: "no record of the log can be read, so no time is found in it"
    182:
      id: no_such_alarm
      doc: "no alarm with this instance"
    183:
      id: clock_invalid
      doc: "no clock can show that time or offset"
    184:
      id: concentration_mismatch
      doc: "the program names other drugs or concentrations than the last refill"
    185:
      id: op_id_stale
      doc: "not above the highest op id of the role, and no longer held"
    186:
      id: log_epoch
      doc: "the log was begun anew"
  role:
    1:
      id: reader
      doc: "reads only"
    2:
      id: patient
      doc: "the patient's handheld"
    3:
      id: clinician
      doc: "the clinician's programmer"
  run_state:
    51:
      id: running
      doc: "therapy runs"
    60:
      id: stopped
      doc: "no flow; START resumes it"
    102:
      id: failed
      doc: "the memory was lost; the pump stays stopped"
  stop_reason:
    0:
      id: none
      doc: "not stopped"
    1:
      id: commanded
      doc: STOP
    2:
      id: empty_reservoir
      doc: "the reservoir reached its empty level"
    3:
      id: memory_failure
      doc: "the memory failed"
    4:
      id: programmed
      doc: "the program itself: it says STOPPED, or its single bolus is over"
    5:
      id: end_of_service
      doc: "the pump is at the end of its service"
    6:
      id: supervisor
      doc: "the supervisor found that the motor's scheduler did not answer"
    7:
      id: program_incomplete
      doc: "a program was begun; the pump stands still until it is committed"
  mode:
    51:
      id: stopped
      doc: "no infusion"
    60:
      id: minimum_rate
      doc: "the least rate of CAPS, to keep the catheter open"
    85:
      id: simple_continuous
      doc: "one base rate, day and night"
    90:
      id: flex
      doc: "rates by the time of day, for each day of the week"
    102:
      id: single_bolus
      doc: "one dose at once, then no infusion"
    105:
      id: periodic_bolus
      doc: "a dose in every interval, the first after one interval; a base rate between, or none"
  block:
    0:
      id: image
      doc: "the canonical image: all blocks in one; to be read only"
    1:
      id: drugs
      doc: DrugsBlock
    2:
      id: infusion
      doc: InfusionBlock
    3:
      id: limits
      doc: LimitsBlock
    4:
      id: alarms
      doc: AlarmsBlock
    5:
      id: schedule
      doc: ScheduleBlock
    6:
      id: patient
      doc: PatientBlock
    7:
      id: catheter
      doc: CatheterBlock
  bolus_kind:
    51:
      id: single
      doc: "the clinician's, on top of the base rate"
    60:
      id: priming
      doc: "fills tubing and catheter; the base rate stands still meanwhile"
    85:
      id: bridge
      doc: "moves the old drugs out of tubing and catheter; the base rate stands still meanwhile"
    90:
      id: patient
      doc: "the patient's own, on top of the base rate"
    102:
      id: programmed
      doc: "a dose of the program itself"
  bolus_end_reason:
    0:
      id: none
      doc: "no bolus was ended"
    1:
      id: complete
      doc: "given in full"
    2:
      id: cancelled
      doc: BOLUS_CANCEL
    3:
      id: stopped
      doc: STOP
    4:
      id: reset
      doc: "the pump lost power"
    5:
      id: empty
      doc: "the reservoir reached its empty level"
    6:
      id: stall
      doc: "the rotor stood still"
    7:
      id: alarm
      doc: "another critical alarm was raised"
  op_state:
    51:
      id: executing
      doc: "taken, its bolus runs"
    60:
      id: done
      doc: "taken, ended as commanded"
    85:
      id: partial
      doc: "taken, ended early; delivered_min_nl and delivered_max_nl say with how much"
    90:
      id: rejected
      doc: "taken, ended without motion"
    102:
      id: not_seen
      doc: "above op_high: not arrived so far"
    105:
      id: never_taken
      doc: "not held, at most op_high, above every evicted id: it will never be taken"
    150:
      id: unknown_evicted
      doc: "no longer held: the log knows, or nobody"
    153:
      id: pending
      doc: "its request is unanswered; resolves nothing"
  alarm_type:
    1:
      id: low_reservoir
      doc: "the computed reservoir reached its low level"
    2:
      id: empty_reservoir
      doc: "it reached its empty level; therapy stopped"
    3:
      id: memory_failure
      doc: "the memory is lost; therapy stopped"
    4:
      id: memory_repaired
      doc: "a copy of a record was lost, and made anew from the other"
    5:
      id: replacement
      doc: "elective replacement indicator: the pump must be replaced soon"
    6:
      id: end_of_service
      doc: "end of service; therapy stopped for good"
    7:
      id: motor_stall
      doc: "the rotor stands still though the motor is driven"
    8:
      id: stopped_too_long
      doc: "therapy has stood still for longer than is good"
    9:
      id: low_battery_reset
      doc: "the cell's voltage broke down and the pump reset"
    10:
      id: reset
      doc: "the pump reset"
    11:
      id: clock_lost
      doc: "the clock does not know the time; a FLEX program flows at its one rate"
    12:
      id: program_incomplete
      doc: "a program was begun and not committed; therapy stands still"
    13:
      id: supervisor
      doc: "the supervisor found that the motor's scheduler did not answer; therapy stopped"
  alarm_state:
    51:
      id: raised
      doc: new
    60:
      id: acknowledged
      doc: "seen by a person, its cause may remain"
    85:
      id: cleared
      doc: over
  priority:
    1:
      id: non_critical
      doc: "therapy goes on"
    2:
      id: critical
      doc: "therapy has stopped or will soon"
  reset_reason:
    1:
      id: first_power_up
      doc: "a new memory"
    2:
      id: power
      doc: "power was lost and came back"
    3:
      id: low_battery
      doc: "the cell's voltage broke down"
    4:
      id: commanded
      doc: "it was reset from outside"
  memory_condition:
    0:
      id: both_slots_good
      doc: "both copies of the control record read well"
    1:
      id: one_slot_lost
      doc: "one copy did; it was used"
    2:
      id: both_slots_lost
      doc: "none did; the pump stays stopped"
  log_type:
    1:
      id: boot
      doc: "the pump started"
    2:
      id: time_set
      doc: TIME_SET
    3:
      id: memory_repaired
      doc: "a copy of a record was lost, and made anew from the other"
    257:
      id: therapy_started
      doc: START
    258:
      id: therapy_stopped
      doc: "STOP, or the pump stopped by itself"
    259:
      id: bolus_started
      doc: "BOLUS_EXECUTE, PATIENT_BOLUS, or a dose of the program itself"
    260:
      id: bolus_ended
      doc: "a bolus ended, for whatever reason"
    261:
      id: bolus_cancelled
      doc: BOLUS_CANCEL
    262:
      id: program_changed
      doc: PROGRAM_COMMIT
    263:
      id: delivered
      doc: "what has been delivered, told from time to time"
    264:
      id: refilled
      doc: REFILL_COMMIT
    265:
      id: program_begun
      doc: "PROGRAM_BEGIN, in a pump that stands still until PROGRAM_COMMIT"
    513:
      id: alarm_raised
      doc: "an alarm was raised"
    514:
      id: alarm_acknowledged
      doc: ALARM_ACK
    515:
      id: alarm_cleared
      doc: "ALARM_CLEAR, or its cause has gone"
    516:
      id: alarm_silenced
      doc: ALARM_SILENCE
    517:
      id: stall_ended
      doc: "the rotor turns again"
    769:
      id: session_taken_over
      doc: "a clinician's host took the place of another"
    770:
      id: authentication_failed
      doc: "wrong cryptograms or tags since the last such record; one a minute at most"
    771:
      id: keys_replaced
      doc: "the pump was given other keys"
    65535:
      id: corrupt
      doc: "stands for a record that can no longer be read"
