package main

import "os"

// isClosed has nothing to find out, as writing to a closed file fails.
func isClosed(*os.File) bool { return false }
