// Package powershell is the wrapper that ships with ninjaone-auth.
package powershell

import _ "embed"

// ConnectNinjaOne is the file Connect-NinjaOne.ps1.
//
//go:embed Connect-NinjaOne.ps1
var ConnectNinjaOne []byte
