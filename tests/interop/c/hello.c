/* Says HELLO to the pump on a serial port, and asks for its STATUS: frames after docs/protocol.md, and termios.
 *
 *     cc -std=c11 -o hello hello.c && ./hello /dev/pts/7
 *
 * Prints one line for each field. Exit status: 0 answered, 2 wrong usage or no such port, 3 no answer.
 */

#define _DEFAULT_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    HEADER_SIZE = 12,
    CRC_SIZE = 4,
    MAX_PAYLOAD = 224,
    MAX_BODY = 253,
    MAX_CODED = MAX_BODY + 1,
    ANSWER_MS = 600,
    RETRIES = 3,
};

enum { MAJOR = 0x10, RESP = 0x01, RETRY = 0x04, ANSWER_BIT = 0x8000, OK = 0x0f };
enum { HELLO = 0x0101, STATUS = 0x0201 };

static const uint32_t ANY_PUMP = 0xffffffff;

struct frame {
    uint8_t first, txn;
    uint16_t opcode;
    uint32_t address;
    uint16_t session, length;
    uint8_t payload[MAX_PAYLOAD];
};

/* Integers are little endian. */
static void put(uint8_t *at, uint32_t value, int size) {
    for (int byte = 0; byte < size; byte++) at[byte] = (uint8_t)(value >> 8 * byte);
}

static uint64_t get(const uint8_t *at, int size) {
    uint64_t value = 0;
    for (int byte = size - 1; byte >= 0; byte--) value = value << 8 | at[byte];
    return value;
}

static uint16_t get16(const uint8_t *at) { return (uint16_t)get(at, 2); }

static uint32_t get32(const uint8_t *at) { return (uint32_t)get(at, 4); }

/* The CRC-32 of zlib, zip and Ethernet: reflected, polynomial 04C11DB7, begun with and turned over by FFFFFFFF. */
static uint32_t crc32(const uint8_t *bytes, size_t size) {
    uint32_t crc = 0xffffffff;
    for (size_t at = 0; at < size; at++) {
        crc ^= bytes[at];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

/* COBS of at most 253 bytes: each group is a count, one more than the bytes behind it, and then those bytes. */
static size_t cobs_encode(const uint8_t *body, size_t size, uint8_t *coded) {
    size_t count_at = 0, out = 1;
    for (size_t at = 0; at < size; at++) {
        if (body[at] != 0) {
            coded[out++] = body[at];
        } else {
            coded[count_at] = (uint8_t)(out - count_at);
            count_at = out++;
        }
    }
    coded[count_at] = (uint8_t)(out - count_at);
    return out;
}

/* Gives the size of the body, or -1 where the coding is broken. `coded` holds no zero. */
static int cobs_decode(const uint8_t *coded, size_t size, uint8_t *body) {
    size_t at = 0, out = 0;
    while (at < size) {
        size_t next = at + coded[at];
        if (next > size) return -1;
        memcpy(body + out, coded + at + 1, next - at - 1);
        out += next - at - 1;
        if (next < size) body[out++] = 0;
        at = next;
    }
    return (int)out;
}

static bool send_request(int line, uint8_t flags, uint8_t txn, uint16_t opcode, uint32_t address, const uint8_t *payload,
                         size_t length) {
    uint8_t body[MAX_BODY], wire[MAX_CODED + 2];
    body[0] = (uint8_t)(MAJOR | flags);
    body[1] = txn;
    put(body + 2, opcode, 2);
    put(body + 4, address, 4);
    put(body + 8, 0, 2);
    put(body + 10, (uint32_t)length, 2);
    if (length > 0) memcpy(body + HEADER_SIZE, payload, length);
    put(body + HEADER_SIZE + length, crc32(body, HEADER_SIZE + length), CRC_SIZE);
    wire[0] = 0;
    size_t coded = cobs_encode(body, HEADER_SIZE + length + CRC_SIZE, wire + 1);
    wire[1 + coded] = 0;
    return write(line, wire, coded + 2) == (ssize_t)(coded + 2);
}

/* Reads what stood between two zeros; false for whatever is damaged or secured. */
static bool parse(const uint8_t *coded, size_t size, struct frame *frame) {
    uint8_t body[MAX_CODED];
    int total = cobs_decode(coded, size, body);
    if (total < HEADER_SIZE + CRC_SIZE) return false;
    if (crc32(body, (size_t)total - CRC_SIZE) != get32(body + total - CRC_SIZE)) return false;
    *frame = (struct frame){
        .first = body[0],
        .txn = body[1],
        .opcode = get16(body + 2),
        .address = get32(body + 4),
        .session = get16(body + 8),
        .length = get16(body + 10),
    };
    if (frame->length > MAX_PAYLOAD || frame->length != total - HEADER_SIZE - CRC_SIZE) return false;
    memcpy(frame->payload, body + HEADER_SIZE, frame->length);
    return true;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Reads byte by byte until the answer is there; false when it has not come in time. */
static bool await_answer(int line, uint16_t opcode, uint8_t txn, uint32_t address, struct frame *answer) {
    static uint8_t coded[MAX_CODED];
    size_t size = 0;
    bool skipping = false;
    int64_t until = now_ms() + ANSWER_MS;
    for (int64_t left; (left = until - now_ms()) > 0;) {
        struct pollfd ready = {.fd = line, .events = POLLIN};
        uint8_t byte;
        if (poll(&ready, 1, (int)left) <= 0 || read(line, &byte, 1) != 1) continue;
        if (byte != 0) {
            if (size == sizeof coded) skipping = true;
            if (!skipping) coded[size++] = byte;
            continue;
        }
        bool good = size > 0 && !skipping && parse(coded, size, answer);
        size = 0;
        skipping = false;
        if (good && answer->first == (MAJOR | RESP) && answer->opcode == (opcode | ANSWER_BIT) && answer->txn == txn &&
            answer->session == 0 && (address == ANY_PUMP || answer->address == address) && answer->length > 0) {
            return true;
        }
    }
    return false;
}

static bool ask(int line, uint8_t txn, uint16_t opcode, uint32_t address, const uint8_t *payload, size_t length,
                struct frame *answer) {
    for (int attempt = 0; attempt <= RETRIES; attempt++) {
        if (!send_request(line, attempt > 0 ? RETRY : 0, txn, opcode, address, payload, length)) return false;
        if (await_answer(line, opcode, txn, address, answer)) return true;
    }
    return false;
}

/* A raw line: no echo, no translation, no signals. Its speed means nothing on a virtual port. */
static int open_line(const char *path) {
    int line = open(path, O_RDWR | O_NOCTTY);
    struct termios settings;
    if (line < 0 || tcgetattr(line, &settings) != 0) return -1;
    cfmakeraw(&settings);
    settings.c_cflag |= CLOCAL | CREAD;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    cfsetspeed(&settings, B115200);
    return tcsetattr(line, TCSAFLUSH, &settings) == 0 ? line : -1;
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: %s PORT\n", arguments[0]);
        return 2;
    }
    int line = open_line(arguments[1]);
    if (line < 0) {
        fprintf(stderr, "%s: %s\n", arguments[1], strerror(errno));
        return 2;
    }
    struct frame answer;
    const uint8_t version[] = {1, 0};
    if (!ask(line, 1, HELLO, ANY_PUMP, version, sizeof version, &answer) || answer.payload[0] != OK ||
        answer.length < 42) {
        fprintf(stderr, "no pump answered HELLO\n");
        return 3;
    }
    uint32_t address = answer.address;
    const uint8_t *hello = answer.payload;
    printf("major %u\nminor %u\n", hello[1], hello[2]);
    printf("capabilities %" PRIx64 "\n", get(hello + 3, 8));
    printf("model %.16s\n", (const char *)hello + 11);
    printf("serial_number %08" PRIX32 "\n", get32(hello + 27));
    printf("firmware_hash ");
    for (int at = 31; at < 39; at++) printf("%02x", hello[at]);
    printf("\n");
    printf("max_payload %u\n", get16(hello + 39));
    printf("marks %x\n", hello[41]);
    if (!ask(line, 2, STATUS, address, NULL, 0, &answer) || answer.payload[0] != OK || answer.length < 3) {
        fprintf(stderr, "the pump did not answer STATUS\n");
        return 3;
    }
    printf("run_state %x\n", answer.payload[1]);
    /* Where a session is open (a pump in INSECURE mode) the whole STATUS came, which counts the alarms. */
    if (answer.length == 3) {
        printf("alarm_present %u\n", answer.payload[2]);
    } else {
        printf("alarms_raised %u\n", answer.payload[3]);
    }
    close(line);
    return 0;
}
