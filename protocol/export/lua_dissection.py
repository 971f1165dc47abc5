"""The second half of the Wireshark dissector's program, in Lua: COBS undone, payloads checked, then shown."""

from __future__ import annotations

from typing import Final

DISSECTION: Final = """\
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
"""
