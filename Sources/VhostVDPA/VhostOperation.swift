internal import CVhostVDPA

/// Everything that can be asked of a vhost-vdpa device file, by the kernel's own name.
package enum VhostOperation: String, Hashable, Sendable, CaseIterable {
    case open = "open"

    // drivers/vhost/vhost.c
    case getFeatures = "VHOST_GET_FEATURES"
    case setFeatures = "VHOST_SET_FEATURES"
    case setOwner = "VHOST_SET_OWNER"
    case resetOwner = "VHOST_RESET_OWNER"
    case setMemTable = "VHOST_SET_MEM_TABLE"
    case setLogBase = "VHOST_SET_LOG_BASE"
    case setLogFD = "VHOST_SET_LOG_FD"
    case setVringNum = "VHOST_SET_VRING_NUM"
    case setVringAddr = "VHOST_SET_VRING_ADDR"
    case setVringBase = "VHOST_SET_VRING_BASE"
    case getVringBase = "VHOST_GET_VRING_BASE"
    case setVringKick = "VHOST_SET_VRING_KICK"
    case setVringCall = "VHOST_SET_VRING_CALL"
    case setVringErr = "VHOST_SET_VRING_ERR"
    case setBackendFeatures = "VHOST_SET_BACKEND_FEATURES"
    case getBackendFeatures = "VHOST_GET_BACKEND_FEATURES"

    // drivers/vhost/vdpa.c
    case getDeviceID = "VHOST_VDPA_GET_DEVICE_ID"
    case getStatus = "VHOST_VDPA_GET_STATUS"
    case setStatus = "VHOST_VDPA_SET_STATUS"
    case getConfig = "VHOST_VDPA_GET_CONFIG"
    case setConfig = "VHOST_VDPA_SET_CONFIG"
    case setVringEnable = "VHOST_VDPA_SET_VRING_ENABLE"
    case getVringNum = "VHOST_VDPA_GET_VRING_NUM"
    case setConfigCall = "VHOST_VDPA_SET_CONFIG_CALL"
    case getIOVARange = "VHOST_VDPA_GET_IOVA_RANGE"
    case getConfigSize = "VHOST_VDPA_GET_CONFIG_SIZE"
    case getAddressSpaceCount = "VHOST_VDPA_GET_AS_NUM"
    case getVringGroup = "VHOST_VDPA_GET_VRING_GROUP"
    case setGroupASID = "VHOST_VDPA_SET_GROUP_ASID"
    case suspend = "VHOST_VDPA_SUSPEND"
    case resume = "VHOST_VDPA_RESUME"
    case getVringDescriptorGroup = "VHOST_VDPA_GET_VRING_DESC_GROUP"
    case getQueueCount = "VHOST_VDPA_GET_VQS_COUNT"
    case getGroupCount = "VHOST_VDPA_GET_GROUP_NUM"
    case getVringSize = "VHOST_VDPA_GET_VRING_SIZE"

    // Messages: write(2)
    case update = "VHOST_IOTLB_UPDATE"
    case invalidate = "VHOST_IOTLB_INVALIDATE"
    case batchBegin = "VHOST_IOTLB_BATCH_BEGIN"
    case batchEnd = "VHOST_IOTLB_BATCH_END"

    /// The ioctl's request number; nil for open and for messages.
    package var request: UInt32? {
        switch self {
        case .open, .update, .invalidate, .batchBegin, .batchEnd: nil
        case .getFeatures: CVHOST_GET_FEATURES
        case .setFeatures: CVHOST_SET_FEATURES
        case .setOwner: CVHOST_SET_OWNER
        case .resetOwner: CVHOST_RESET_OWNER
        case .setMemTable: CVHOST_SET_MEM_TABLE
        case .setLogBase: CVHOST_SET_LOG_BASE
        case .setLogFD: CVHOST_SET_LOG_FD
        case .setVringNum: CVHOST_SET_VRING_NUM
        case .setVringAddr: CVHOST_SET_VRING_ADDR
        case .setVringBase: CVHOST_SET_VRING_BASE
        case .getVringBase: CVHOST_GET_VRING_BASE
        case .setVringKick: CVHOST_SET_VRING_KICK
        case .setVringCall: CVHOST_SET_VRING_CALL
        case .setVringErr: CVHOST_SET_VRING_ERR
        case .setBackendFeatures: CVHOST_SET_BACKEND_FEATURES
        case .getBackendFeatures: CVHOST_GET_BACKEND_FEATURES
        case .getDeviceID: CVHOST_VDPA_GET_DEVICE_ID
        case .getStatus: CVHOST_VDPA_GET_STATUS
        case .setStatus: CVHOST_VDPA_SET_STATUS
        case .getConfig: CVHOST_VDPA_GET_CONFIG
        case .setConfig: CVHOST_VDPA_SET_CONFIG
        case .setVringEnable: CVHOST_VDPA_SET_VRING_ENABLE
        case .getVringNum: CVHOST_VDPA_GET_VRING_NUM
        case .setConfigCall: CVHOST_VDPA_SET_CONFIG_CALL
        case .getIOVARange: CVHOST_VDPA_GET_IOVA_RANGE
        case .getConfigSize: CVHOST_VDPA_GET_CONFIG_SIZE
        case .getAddressSpaceCount: CVHOST_VDPA_GET_AS_NUM
        case .getVringGroup: CVHOST_VDPA_GET_VRING_GROUP
        case .setGroupASID: CVHOST_VDPA_SET_GROUP_ASID
        case .suspend: CVHOST_VDPA_SUSPEND
        case .resume: CVHOST_VDPA_RESUME
        case .getVringDescriptorGroup: CVHOST_VDPA_GET_VRING_DESC_GROUP
        case .getQueueCount: CVHOST_VDPA_GET_VQS_COUNT
        case .getGroupCount: CVHOST_VDPA_GET_GROUP_NUM
        case .getVringSize: CVHOST_VDPA_GET_VRING_SIZE
        }
    }

    /// The first kernel that knows the operation.
    package var arrived: String {
        switch self {
        case .setBackendFeatures, .getBackendFeatures, .setConfigCall, .batchBegin, .batchEnd: "5.9"
        case .getIOVARange: "5.11"
        case .getConfigSize, .getQueueCount: "5.18"
        case .getAddressSpaceCount, .getGroupCount, .getVringGroup, .setGroupASID: "5.19"
        case .suspend: "6.0"
        case .resume: "6.3"
        case .getVringDescriptorGroup: "6.7"
        case .getVringSize: "6.9"
        default: "5.7"
        }
    }

    /// Whether the kernel answers EPERM to a process other than the one that called SET_OWNER.
    package var requiresOwner: Bool {
        switch self {
        case .resetOwner, .setMemTable, .setVringNum, .setVringAddr, .setVringBase, .getVringBase,
            .setVringKick, .setVringCall, .setVringErr, .setVringEnable, .getVringGroup,
            .getVringDescriptorGroup, .setGroupASID, .getVringSize, .update, .invalidate,
            .batchBegin, .batchEnd:
            true
        default: false
        }
    }
}
