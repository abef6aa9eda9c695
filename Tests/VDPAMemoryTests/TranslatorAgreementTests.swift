import Glibc
import IOVAAllocator
import TestSupport
import Testing
import VDPAMemory
import VDPASimulator

/// Random operations on a domain; after every one the translator knows the live regions and no
/// others, in both directions.
@Suite("Translator against random operations")
struct TranslatorAgreementTests {
    private struct Model {
        var live: [TranslatedRegion] = []
        /// Of the last regions that went: their places are asked for too.
        var gone: [TranslatedRegion] = []

        func iova(_ address: UInt) -> UInt64? {
            live.filter { address >= $0.address && address - $0.address < UInt($0.byteCount) }
                .map { $0.iova + UInt64(address - $0.address) }.min()
        }

        func address(_ iova: UInt64) -> UInt? {
            live.first { iova >= $0.iova && iova - $0.iova < $0.byteCount }
                .map { $0.address + UInt(iova - $0.iova) }
        }
    }

    @Test(arguments: [DeviceKind.setMap, .virtualAddress], [UInt64(1), 2, 3])
    func `it knows the live regions and no others`(_ kind: DeviceKind, _ usual: UInt64) throws {
        let seed = TestKnobs.seed(usual)
        var random = SeededGenerator(seed: seed)
        let world = try DomainWorld(
            kind.configuration,
            .init(
                regionCapacity: 64,
                unmapping: seed % 2 == 0 ? .deferred(maximumBytes: 16 << 20) : .immediate))
        let memory = SharedMemory(pages: 1200)
        // Made while there is nothing, or in the middle of it.
        let first = random.chance(oneIn: 2) ? 0 : 60
        var translator: AddressTranslator?
        var model = Model()
        var failures = 0
        for step in 0..<TestKnobs.count("VDPA_TRANSLATE_STEPS", 250) {
            if step == first { translator = try world.domain.translator }
            if random.chance(oneIn: 6) {
                let call = world.simulator.calls + 1 + random.below(4)
                world.simulator.failCall(call, errno: EFAULT)
            }
            do throws(DMAError) {
                try change(world, memory, &model, &random)
            } catch {
                failures += 1
                world.simulator.clearFaultPlan()
                if error.code == .undoIncomplete { try world.domain.remap() }
            }
            world.simulator.clearFaultPlan()
            if let translator, let wrong = mismatch(translator, model, &random) {
                Issue.record("step \(step): \(wrong); replay with VDPA_SEED=\(seed)")
                return
            }
        }
        #expect(model.live.count > 3 && failures > 3, "\(model.live.count), \(failures)")
        world.domain.close()
        model.gone = model.live
        model.live = []
        let wrong = try mismatch(#require(translator), model, &random)
        #expect(wrong == nil, "after close; replay with VDPA_SEED=\(seed)")
    }

    private func change(
        _ world: DomainWorld, _ memory: SharedMemory, _ model: inout Model,
        _ random: inout SeededGenerator
    ) throws(DMAError) {
        switch random.below(12) {
        case 0: try world.domain.flush()
        case 1: try world.domain.trim()
        case 2: try world.domain.remap()
        case 3...6 where !model.live.isEmpty:
            let index = random.below(model.live.count)
            try world.domain.free(model.live[index].id)
            model.gone.append(model.live.remove(at: index))
            if model.gone.count > 8 { model.gone.removeFirst() }
        default:
            let choice = random.below(5)
            let page = random.below(1100)
            let count = 1 + random.below(random.chance(oneIn: 3) ? 100 : 4)
            let ids = try world.domain.batch { batch throws(DMAError) in
                switch choice {
                case 0: return [try batch.allocate(byteCount: 2 << 20)]
                case 1, 2:
                    let size = 4096 * (1 + random.below(20))
                    return [try batch.allocate(byteCount: size), try batch.allocate(byteCount: 1)]
                default:
                    // The same pages over and over: they have several IOVAs at once.
                    let pages = unsafe memory.pages(page, count: count)
                    return [unsafe try batch.register(pages, isolation: .shared)]
                }
            }
            for id in ids {
                do {
                    model.live.append(try TranslatedRegion(id, world.domain))
                } catch {
                    Issue.record("a region that was just made: \(error)")
                }
            }
        }
    }

    private func mismatch(
        _ translator: AddressTranslator, _ model: Model, _ random: inout SeededGenerator
    ) -> String? {
        for region in model.live + model.gone {
            let middle = UInt64(random.below(Int(region.byteCount)))
            for offset in [0, middle, region.byteCount - 1, region.byteCount, 0 &- 1] {
                let (iova, address) = (region.iova &+ offset, region.address &+ UInt(offset))
                if translator.iova(address, 1) != model.iova(address) {
                    return "address \(address) is not \(String(describing: model.iova(address)))"
                }
                if translator.address(iova, 1) != model.address(iova) {
                    return "IOVA \(iova) is not \(String(describing: model.address(iova)))"
                }
            }
        }
        for region in model.live {
            if translator.address(region.iova, Int(region.byteCount)) != region.address {
                return "the region at \(region.iova) is not found as a whole"
            }
        }
        return nil
    }

    @Test func `threads that translate see what lives, and never what is gone`() throws {
        let world = try DomainWorld(.vduse())
        let translator = try world.domain.translator
        let keeper = try TranslatedRegion(world.allocate(1, byteCount: 12288)[0], world.domain)
        let large = try TranslatedRegion(world.allocate(1, byteCount: 6 << 20)[0], world.domain)
        let isDone = Guarded(false)
        let lost = Guarded(0)
        let crew = ThreadCrew(count: 2)
        let domain = world.domain
        let steps = TestKnobs.count("VDPA_TRANSLATE_STEPS", 300)
        crew.runAll { number in
            guard number == 0 else {
                while !isDone.withLock({ $0 }) {
                    if !translator.knows(keeper) || !translator.knows(large) {
                        lost.withLock { $0 += 1 }
                    }
                }
                return
            }
            for step in 0..<steps {
                do {
                    let region = try domain.allocate(
                        byteCount: step % 8 == 0 ? 2 << 20 : 4096 * (1 + step % 5))
                    let (iova, count) = (region.iova, region.byteCount)
                    let address = unsafe UInt(bitPattern: region.address)
                    let isKnown =
                        translator.iova(address, count) == iova.rawValue
                        && translator.address(iova.rawValue, count) == address
                    try region.free()
                    let isGone =
                        translator.iova(address, 1) == nil
                        && translator.address(iova.rawValue, 1) == nil
                    if !isKnown || !isGone { lost.withLock { $0 += 1 } }
                } catch {
                    Issue.record("step \(step): \(error)")
                }
            }
            isDone.withLock { $0 = true }
        }
        crew.end()
        #expect(lost.withLock { $0 } == 0)
    }
}
