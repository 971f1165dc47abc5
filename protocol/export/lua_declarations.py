"""The first half of the Wireshark dissector's program, in Lua: what is declared to Wireshark, made of tables."""

from __future__ import annotations

from typing import Final

# Wireshark has Lua 5.2 to 5.4 by its version, so no operator of one of them alone is used. It brings the library `bit`
# with all of them (its developer's guide, 11.17).
DECLARATIONS: Final = """\
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
"""
