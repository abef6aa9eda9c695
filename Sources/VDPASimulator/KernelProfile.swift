/// What differs between kernels, as named switches. A version is only a row of this table.
///
/// The row `v6_1` was measured on Debian's 6.1.192. The others follow the kernels' sources and
/// commit messages; rows marked [mem] are from memory and need a look before they are relied on.
public struct KernelProfile: Hashable, Sendable {
    public var name: String
    /// INVALIDATE of size 0: true where it is a message like any other, false where it is EINVAL
    /// (5.17 to 6.5; stable branches, 6.1.192 among them, have the fix of 6.6).
    public var allowsInvalidateOfSizeZero: Bool
    /// An address space goes with its last entry, so that the next INVALIDATE fails (5.19 to 6.3,
    /// fixed by c82729e06644 and in 6.1.192).
    public var freesEmptyAddressSpaces: Bool
    /// The parents' SUSPEND operation exists (6.0).
    public var hasSuspend: Bool
    /// The parents' RESUME operation exists (6.3).
    public var hasResume: Bool
    /// IOTLB_PERSIST: a parent that can, keeps its translation over a reset (6.7).
    public var hasPersistence: Bool
    /// GET_VRING_DESC_GROUP and the DESC_ASID bit exist (6.7).
    public var hasDescriptorGroups: Bool
    /// GET_VRING_SIZE exists (6.8 or 6.9) [mem].
    public var hasVringSize: Bool
    /// vdpa_sim offers ENABLE_AFTER_DRIVER_OK (6.6) [mem].
    public var offersEnableAfterDriverOK: Bool
    /// SET_VRING_ADDR and SET_VRING_BASE are EINVAL while running, unless suspended (6.8/6.9)
    /// [mem].
    public var locksRunningRings: Bool
    /// SUSPEND and RESUME answer 0 and do nothing before DRIVER_OK (6.9) [mem].
    public var suspendsOnlyRunningDevices: Bool
    /// SET_GROUP_ASID is EBUSY after DRIVER_OK (7.x).
    public var locksRunningGroups: Bool
    /// vdpa_sim maps by virtual address unless told otherwise (its `use_va=1`, 6.4).
    public var vdpaSimUsesVirtualAddresses: Bool

    // swift-format-ignore: AlwaysUseLowerCamelCase
    public static let v5_19 = KernelProfile(
        name: "5.19", allowsInvalidateOfSizeZero: false, freesEmptyAddressSpaces: true,
        hasSuspend: false, hasResume: false, hasPersistence: false, hasDescriptorGroups: false,
        hasVringSize: false, offersEnableAfterDriverOK: false, locksRunningRings: false,
        suspendsOnlyRunningDevices: false, locksRunningGroups: false,
        vdpaSimUsesVirtualAddresses: false)

    // swift-format-ignore: AlwaysUseLowerCamelCase
    public static let v6_1: KernelProfile = {
        var profile = v5_19
        profile.name = "6.1"
        profile.allowsInvalidateOfSizeZero = true
        profile.freesEmptyAddressSpaces = false
        profile.hasSuspend = true
        return profile
    }()

    // swift-format-ignore: AlwaysUseLowerCamelCase
    public static let v6_6: KernelProfile = {
        var profile = v6_1
        profile.name = "6.6"
        profile.hasResume = true
        profile.offersEnableAfterDriverOK = true
        profile.vdpaSimUsesVirtualAddresses = true
        return profile
    }()

    // swift-format-ignore: AlwaysUseLowerCamelCase
    public static let v6_12: KernelProfile = {
        var profile = v6_6
        profile.name = "6.12"
        profile.hasPersistence = true
        profile.hasDescriptorGroups = true
        profile.hasVringSize = true
        profile.locksRunningRings = true
        profile.suspendsOnlyRunningDevices = true
        return profile
    }()

    public static let v7: KernelProfile = {
        var profile = v6_12
        profile.name = "7"
        profile.locksRunningGroups = true
        return profile
    }()
}
