// A set of whole numbers from 0, kept as sorted ranges [begin, end) that do not touch.
export class Ranges {
    constructor(list = []) {
        this.list = [];
        for (const [begin, end] of list) {
            this.add(begin, end);
        }
    }

    add(begin, end) {
        if (begin >= end) {
            return this;
        }
        const before = this.list.filter((range) => range[1] < begin);
        const after = this.list.filter((range) => range[0] > end);
        const touched = this.list.slice(before.length, this.list.length - after.length);

        this.list = [...before,
            [Math.min(begin, ...touched.map((range) => range[0])),
                Math.max(end, ...touched.map((range) => range[1]))],
            ...after];
        return this;
    }

    addAll(other) {
        for (const [begin, end] of other.list) {
            this.add(begin, end);
        }
        return this;
    }

    get size() {
        return this.list.reduce((sum, [begin, end]) => sum + end - begin, 0);
    }

    copy() {
        const copy = new Ranges();

        copy.list = this.list.map((range) => [...range]);
        return copy;
    }

    // What of [0, total) is not in the set.
    missing(total) {
        const gaps = [];
        let at = 0;

        for (const [begin, end] of [...this.list, [total, total]]) {
            if (Math.min(begin, total) > at) {
                gaps.push([at, Math.min(begin, total)]);
            }
            at = Math.max(at, end);
        }
        return gaps;
    }

    covers(begin, end) {
        return begin >= end || this.list.some((range) => range[0] <= begin && end <= range[1]);
    }

    touches(begin, end) {
        return begin < end && this.list.some((range) => range[0] < end && begin < range[1]);
    }
}
