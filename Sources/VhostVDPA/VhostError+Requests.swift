// What an errno means for one request and no other. Source: drivers/vhost/vdpa.c and vhost.c.
extension VhostError {
    /// Ownership, features, status, configuration.
    static func ofDevice(_ operation: VhostOperation, _ errno: Errno) -> Meaning? {
        switch (operation, errno) {
        case (.setOwner, .busy):
            (
                .busy, "the device has an owner already, this process or another.",
                "Open the device anew, or skip SET_OWNER if this process called it before."
            )
        case (.setMemTable, .tooBig):
            (
                .tooManyRegions, "the table has more regions than the vhost module allows.",
                "Join neighbours, or raise the vhost module's max_mem_regions (64 by default)."
            )
        case (.setFeatures, .busy):
            (
                .busy, "the features are fixed, because FEATURES_OK is set.",
                "Reset the device (status 0) and negotiate again."
            )
        case (.setFeatures, .invalid):
            (
                .invalidArgument, "the device does not accept this set of features.",
                "Offer a subset of GET_FEATURES that includes ACCESS_PLATFORM (bit 33)."
            )
        case (.setBackendFeatures, .notSupported):
            (
                .notSupported, "a bit is unknown to the kernel or not offered by the device.",
                "Set only bits that GET_BACKEND_FEATURES reports."
            )
        case (.setBackendFeatures, .invalid):
            (
                .invalidArgument, "DESC_ASID was asked for without IOTLB_ASID.",
                "Ask for both or for neither."
            )
        case (.setStatus, .invalid):
            (
                .invalidArgument, "a status bit that is set would be cleared.",
                "Read the status again and add to it, or write 0 to reset the device."
            )
        case (.getConfig, .invalid), (.setConfig, .invalid):
            (
                .outOfBounds,
                "the length is 0, or the range does not lie in the configuration space.",
                "Ask for its size (GET_CONFIG_SIZE) and stay inside."
            )
        case (.setConfigCall, .badDescriptor), (.setConfigCall, .invalid): badEventDescriptor
        default: nil
        }
    }

    /// Queues.
    static func ofVring(_ operation: VhostOperation, _ errno: Errno) -> Meaning? {
        switch (operation, errno) {
        case (.setVringNum, .invalid):
            (
                .invalidArgument, "a queue's size is a power of two from 1 to 32768.",
                "Choose one that does not exceed GET_VRING_NUM's answer."
            )
        case (.setVringAddr, .invalid):
            (
                .invalidArgument,
                "the available area is not 2-byte or the used or log area not 4-byte aligned, or "
                    + "the device runs and is not suspended, or its driver refused.",
                "Align the areas, and set them before DRIVER_OK or after SUSPEND."
            )
        case (.setVringAddr, .notSupported):
            (
                .notSupported, "the request carries a flag other than the log flag.",
                "Report it: this library sets no other flag."
            )
        case (.setVringBase, .invalid):
            (
                .invalidArgument,
                "the state does not fit the negotiated layout, or the device runs and is not "
                    + "suspended, or its driver refused.",
                "Set it after FEATURES_OK and before DRIVER_OK, or after SUSPEND."
            )
        case (.setVringKick, .badDescriptor), (.setVringKick, .invalid),
            (.setVringCall, .badDescriptor), (.setVringCall, .invalid),
            (.setVringErr, .badDescriptor), (.setVringErr, .invalid):
            badEventDescriptor
        default: nil
        }
    }

    /// Virtqueue groups and address spaces.
    static func ofGroup(_ operation: VhostOperation, _ errno: Errno) -> Meaning? {
        switch (operation, errno) {
        case (.getVringGroup, .ioError), (.getVringDescriptorGroup, .ioError):
            (
                .deviceFailed, "the device's driver named a group that does not exist.",
                "Report it with the kernel's version and the device's driver."
            )
        case (.setGroupASID, .noSuchQueue):
            (
                .noSuchQueue, "the kernel checks the group as if it were a queue index.",
                "Stay below the number of groups (GET_GROUP_NUM)."
            )
        case (.setGroupASID, .invalid):
            (
                .invalidArgument, "the group or the address space does not exist.",
                "Stay below GET_GROUP_NUM and GET_AS_NUM."
            )
        case (.setGroupASID, .busy):
            (
                .busy, "groups cannot move while the device runs (DRIVER_OK).",
                "Assign groups before DRIVER_OK."
            )
        default: nil
        }
    }

    private static var badEventDescriptor: Meaning {
        (
            .badEventDescriptor, "the descriptor is closed or is not an eventfd.",
            "Pass an open eventfd, and keep the device open."
        )
    }
}
