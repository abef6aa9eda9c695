// The functions have the names of the header.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CVDPAMemory
internal import VDPAMemory

@c @implementation
public func vdm_translator_create(
    _ handle: OpaquePointer?, _ translator: UnsafeMutablePointer<OpaquePointer?>?
) -> CInt {
    onDomain(handle) { (domain) throws(CallError) in
        let target = try output(translator)
        let made = TranslatorBox(try library { () throws(DMAError) in try domain.translator })
        // Safe: the object that the handle holds keeps it.
        unsafe target.pointee = try makeHandle(
            made, CVDM_KIND_TRANSLATOR, fast: UnsafeMutableRawPointer(made.tables))
    }
}

@c @implementation
public func vdm_translator_destroy(_ handle: OpaquePointer?) -> CInt {
    call { () throws(CallError) in
        _ = try takeObject(handle, CVDM_KIND_TRANSLATOR, as: TranslatorBox.self)
    }
}

/// A translator that C holds, with its tables where C reads them.
@safe
private final class TranslatorBox {
    private let translator: AddressTranslator
    let tables: UnsafeMutablePointer<vdm_tables>

    init(_ translator: AddressTranslator) {
        self.translator = translator
        let known = unsafe translator.datapath
        unsafe tables = .allocate(capacity: 1)
        unsafe tables.initialize(
            to: vdm_tables(to_iova: known.toIOVA, to_address: known.toAddress))
    }

    deinit { unsafe tables.deallocate() }
}
