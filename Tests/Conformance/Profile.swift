/// The device that the cases meet: one of the four of the kernel test VM, or the simulator's twin.
package enum Profile: String, CaseIterable, Sendable {
    /// vdpa_sim's network device, set_map.
    case sim
    /// The same with `batch_mapping=0`, dma_map.
    case simNoBatch = "sim-nobatch"
    /// vp_vdpa behind a platform IOMMU.
    case iommu
    /// A VDUSE block device: mapped by virtual address, set_map.
    case vduse
}

extension Set<Profile> {
    package static let all = Set(Profile.allCases)
    /// Parents that pin the memory they map.
    package static let pinned: Set = [.sim, .simNoBatch, .iommu]
    package static let vdpaSim: Set = [.sim, .simNoBatch]
}

extension Profile {
    /// How many cases must run: a case that disappears is a failure.
    package func expectedCaseCount(on machine: MachineKind) -> Int {
        switch (self, machine) {
        case (.sim, .simulator): 121
        case (.sim, .kernel): 155
        case (.simNoBatch, .simulator): 121
        case (.simNoBatch, .kernel): 132
        case (.iommu, .simulator): 114
        case (.iommu, .kernel): 126
        case (.vduse, .simulator): 102
        case (.vduse, .kernel): 112
        }
    }

    var pinsMemory: Bool { self != .vduse }
}
