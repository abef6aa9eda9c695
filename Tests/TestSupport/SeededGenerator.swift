internal import Glibc

/// Random numbers that a test can replay: splitmix64, the same sequence for the same seed; or what
/// a list of bytes spells, so that a fuzzer that changes a byte changes a choice.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64 = 0
    private var choices: [UInt8]?
    private var position = 0

    package init(seed: UInt64) { state = seed }

    /// Draws from the bytes, first to last, and zeros behind the last.
    package init(choices: [UInt8]) { self.choices = choices }

    /// Whether all of the bytes are used up; never with a seed.
    package var isExhausted: Bool { choices.map { position >= $0.count } ?? false }

    package mutating func next() -> UInt64 {
        if choices != nil { return take(byteCount: 8) }
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number in 0..<bound. The bias is below 2^-32 for the bounds that tests use.
    package mutating func below(_ bound: Int) -> Int {
        precondition(bound > 0)
        // Short draws keep inputs short, and one choice one byte.
        if choices != nil { return Int(take(byteCount: bound <= 256 ? 1 : 7)) % bound }
        return Int(next() >> 1) % bound
    }

    private mutating func take(byteCount: Int) -> UInt64 {
        var value: UInt64 = 0
        for _ in 0..<byteCount {
            let isLeft = position < choices?.count ?? 0
            value = value << 8 | UInt64(isLeft ? choices?[position] ?? 0 : 0)
            position += 1
        }
        return value
    }

    /// True once in `oneIn` times.
    package mutating func chance(oneIn: Int) -> Bool { below(oneIn) == 0 }

    package mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }

    /// An index, drawn in proportion to its weight.
    package mutating func weighted(_ weights: [Int]) -> Int {
        var left = below(weights.reduce(0, +))
        for (index, weight) in weights.enumerated() {
            if left < weight { return index }
            left -= weight
        }
        return weights.count - 1
    }
}

/// The knobs of a test run, read from the environment.
package enum TestKnobs {
    /// `VDPA_SEED`: replays every seeded test from this seed instead of its own.
    package static func seed(_ usual: UInt64) -> UInt64 {
        guard let text = value("VDPA_SEED") else { return usual }
        let digits = text.hasPrefix("0x") ? text.dropFirst(2) : text[...]
        guard let seed = UInt64(digits, radix: text.hasPrefix("0x") ? 16 : 10) else {
            fatalError("VDPA_SEED=\(text) is not a number")
        }
        return seed
    }

    /// A count that the environment may raise or lower; `usual` where the variable is not set.
    package static func count(_ name: String, _ usual: Int) -> Int {
        guard let text = value(name) else { return usual }
        guard let count = Int(text), count > 0 else { fatalError("\(name)=\(text) is no count") }
        return count
    }

    private static func value(_ name: String) -> String? {
        // The string lives until someone changes the environment; no test does.
        guard let text = unsafe getenv(name) else { return nil }
        return unsafe String(cString: text)
    }
}
