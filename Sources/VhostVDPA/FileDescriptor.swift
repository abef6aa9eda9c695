internal import CVhostVDPA

/// The one owner of an open file descriptor: closes it at the end of its life, once.
package struct FileDescriptor: ~Copyable, Sendable {
    package let rawValue: Int32

    /// Takes over `rawValue`; nobody else may close it from now on.
    package init(takingOver rawValue: Int32) { self.rawValue = rawValue }

    /// Gives the descriptor up without closing it: whoever gets the number owns it.
    package consuming func release() -> Int32 {
        let number = rawValue
        discard self
        return number
    }

    deinit { _ = cvhost_close(rawValue) }
}
