internal import CVDPAMemory
internal import VDPAMemory

/// Why a call is refused: an error of the library's, or one that only C can make.
enum CallError: Error {
    case library(DMAError)
    case code(Int32)

    init(_ code: vdm_code) { self = .code(code.rawValue) }
}

/// Runs the body of a call and answers its code; what it threw becomes this thread's last error.
func call(_ body: () throws(CallError) -> Void) -> CInt {
    do throws(CallError) {
        try body()
        return CInt(VDM_OK.rawValue)
    } catch {
        switch error {
        case .library(let error): return record(error)
        case .code(let code): return cvdm_error_record_code(code)
        }
    }
}

/// A call of the library's, with its errors as a call's.
func library<Answer: ~Copyable>(
    _ body: () throws(DMAError) -> Answer
) throws(CallError) -> Answer {
    do throws(DMAError) {
        return try body()
    } catch {
        throw .library(error)
    }
}

private func record(_ error: DMAError) -> CInt {
    unsafe error.message.withCString { message in
        unsafe error.remedy.withCString { remedy in
            var detail = unsafe vdm_error_detail()
            unsafe detail.code = error.code.rawValue
            unsafe detail.system_errno = error.errno
            unsafe detail.message = message
            unsafe detail.remedy = remedy
            var flags: UInt32 = 0
            if let range = error.range {
                unsafe detail.range = vdm_range(range)
                flags |= VDM_DETAIL_RANGE.rawValue
            }
            if error.needed != nil || error.limit != nil {
                unsafe detail.needed = error.needed ?? 0
                unsafe detail.limit = error.limit ?? 0
                flags |= VDM_DETAIL_FIGURES.rawValue
            }
            if let index = error.operationIndex {
                unsafe detail.operation = UInt32(clamping: index)
                flags |= VDM_DETAIL_OPERATION.rawValue
            }
            unsafe detail.flags = flags
            unsafe cvdm_error_record(&detail)
        }
    }
    return error.code.rawValue
}

/// What an output parameter points to.
@safe
func output<Value>(
    _ pointer: UnsafeMutablePointer<Value>?
) throws(CallError) -> UnsafeMutablePointer<Value> {
    guard let pointer = unsafe pointer else { throw CallError(VDM_E_NULL_ARGUMENT) }
    return unsafe pointer
}

extension vdm_range {
    init(_ range: IOVARange) {
        self.init(first: range.first.rawValue, last: range.last.rawValue)
    }

    func range() throws(CallError) -> IOVARange {
        guard first <= last else { throw CallError(VDM_E_INVALID_ARGUMENT) }
        return IOVARange(first: first, last: last)
    }
}

/// A count of the caller's as Swift counts.
func count(_ value: some BinaryInteger) throws(CallError) -> Int {
    guard let number = Int(exactly: value) else { throw CallError(VDM_E_INVALID_ARGUMENT) }
    return number
}
