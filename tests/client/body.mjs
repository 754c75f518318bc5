// A request body that is written at a steady rate, and knows at any moment how
// much of it has been handed over at most and at least.
const PIECE_MS = 10;

export class Body {
    // bytes in all, at rate bytes a second; stopAt cuts it short.
    constructor({ bytes, rate, stopAt }) {
        this.bytes = bytes;
        this.rate = rate;
        this.stopAt = stopAt ?? bytes;
        this.submitted = 0; // given to the stream: the server has no more
        this.accepted = 0;  // taken by the kernel: the server can have it
        this.largestPiece = 0;
    }

    // Writes to a stream until all is written; resolves then.
    async writeTo(stream) {
        const began = performance.now();

        while (this.submitted < this.stopAt) {
            const due = Math.floor((performance.now() - began) / 1000 * this.rate);
            const size = Math.min(due, this.stopAt) - this.submitted;

            if (size > 0) {
                this.#write(stream, size);
            }
            await new Promise((next) => setTimeout(next, PIECE_MS));
            if (stream.destroyed) {
                return;
            }
        }
    }

    #write(stream, size) {
        this.submitted += size;
        this.largestPiece = Math.max(this.largestPiece, size);
        stream.write(Buffer.alloc(size, 'x'), (error) => {
            if (!error) {
                this.accepted += size;
            }
        });
    }
}
