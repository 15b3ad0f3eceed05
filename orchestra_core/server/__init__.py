"""[HTTP In] and [HTTP Response]: sockets towards clients. Only this package and `upstream` touch HTTP."""
