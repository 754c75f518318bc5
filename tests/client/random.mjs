// The same random bytes in every run.
export function randomBytes(count, seed) {
    const bytes = Buffer.alloc(count);
    let state = (seed + 1) * 2654435761 >>> 0;

    for (let i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        bytes[i] = state;
    }
    return bytes;
}
