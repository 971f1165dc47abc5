// A serial port that carries frames: sends whole frames, and hands out those that come.

import { SerialPort } from "serialport";
import { FrameReader, toWire } from "./frame.mjs";

export class Line {
    #port;
    #reader = new FrameReader();
    #frames = [];
    #wake = () => {};
    #error = null;

    /** Opens a port in raw mode; the speed means nothing on a virtual port. */
    static open(path) {
        return new Promise((resolve, reject) => {
            const port = new SerialPort({ path, baudRate: 115200 }, (error) =>
                error ? reject(error) : resolve(new Line(port)),
            );
        });
    }

    constructor(port) {
        this.#port = port;
        port.on("data", (chunk) => {
            this.#frames.push(...this.#reader.feed(chunk));
            this.#wake();
        });
        port.on("close", () => this.#fail(new Error("the line was closed")));
        port.on("error", (error) => this.#fail(error));
    }

    /** `content` is header, payload and, if it is secured, counter and tag. */
    send(content) {
        this.#port.write(toWire(content));
    }

    /** The next good frame; null when none has come by `deadline`, which is a time of performance.now(). */
    async frame(deadline) {
        while (this.#frames.length === 0) {
            if (this.#error) throw this.#error;
            const left = deadline - performance.now();
            if (left <= 0) return null;
            await new Promise((resolve) => {
                const timer = setTimeout(resolve, left);
                this.#wake = () => {
                    clearTimeout(timer);
                    resolve();
                };
            });
        }
        return this.#frames.shift();
    }

    close() {
        return new Promise((resolve) => this.#port.close(resolve));
    }

    #fail(error) {
        this.#error ??= error;
        this.#wake();
    }
}
