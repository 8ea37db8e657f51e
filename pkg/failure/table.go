package failure

// ID is a row of the table of failures (docs/errors.md). Only this package makes any.
type ID struct {
	// name is the stable first half of FullyQualifiedErrorId, for example InvalidClient.
	name string
	// category is the failure's member of PowerShell's System.Management.Automation.ErrorCategory.
	category string
	from     origin
}

// origin tells who raises a failure.
type origin byte

const (
	program origin = 1 << iota
	wrapper        // or PowerShell's own parameter binder for it
)

// All holds every failure there is, in the order of the table.
var All []ID

func id(name, category string, from origin) ID {
	one := ID{name, category, from}
	All = append(All, one)
	return one
}

// String is the id as PowerShell has it.
func (i ID) String() string { return i.name }

// Category names the failure's ErrorCategory.
func (i ID) Category() string { return i.category }

// FromProgram tells whether ninjaone-auth raises the failure.
func (i ID) FromProgram() bool { return i.from&program != 0 }

// FromWrapper tells whether Connect-NinjaOne, or another command of the module NinjaOneAuth, raises the failure without being
// told to by ninjaone-auth.
func (i ID) FromWrapper() bool { return i.from&wrapper != 0 }

const (
	authenticationError = "AuthenticationError"
	connectionError     = "ConnectionError"
	invalidArgument     = "InvalidArgument"
	invalidData         = "InvalidData"
	invalidOperation    = "InvalidOperation"
	limitsExceeded      = "LimitsExceeded"
	notSpecified        = "NotSpecified"
	objectNotFound      = "ObjectNotFound"
	operationStopped    = "OperationStopped"
	operationTimeout    = "OperationTimeout"
	permissionDenied    = "PermissionDenied"
	protocolError       = "ProtocolError"
	resourceBusy        = "ResourceBusy"
	resourceUnavailable = "ResourceUnavailable"
	securityError       = "SecurityError"
	writeError          = "WriteError"
)

// Parameters. The names are PowerShell's own, but for the last two.
var (
	AmbiguousParameterSet                                 = id("AmbiguousParameterSet", invalidArgument, program|wrapper)
	MissingMandatoryParameter                             = id("MissingMandatoryParameter", invalidArgument, program|wrapper)
	NamedParameterNotFound                                = id("NamedParameterNotFound", invalidArgument, program|wrapper)
	PositionalParameterNotFound                           = id("PositionalParameterNotFound", invalidArgument, wrapper)
	ParameterAlreadyBound                                 = id("ParameterAlreadyBound", invalidArgument, program|wrapper)
	ParameterArgumentTransformationError                  = id("ParameterArgumentTransformationError", invalidData, program|wrapper)
	ParameterArgumentValidationError                      = id("ParameterArgumentValidationError", invalidData, program|wrapper)
	ParameterArgumentValidationErrorEmptyStringNotAllowed = id("ParameterArgumentValidationErrorEmptyStringNotAllowed", invalidData, program|wrapper)
	RefreshTokenMissing                                   = id("RefreshTokenMissing", invalidArgument, program)
	InvalidSetting                                        = id("InvalidSetting", invalidArgument, program)
)

// NinjaOne's token endpoint, and the way to it.
var (
	InvalidClient       = id("InvalidClient", authenticationError, program)
	InvalidRefreshToken = id("InvalidRefreshToken", authenticationError, program)
	InvalidGrant        = id("InvalidGrant", authenticationError, program)
	InvalidScope        = id("InvalidScope", permissionDenied, program)
	UnauthorizedClient  = id("UnauthorizedClient", permissionDenied, program)
	RequestRejected     = id("RequestRejected", protocolError, program)
	RateLimited         = id("RateLimited", limitsExceeded, program)
	ServiceUnavailable  = id("ServiceUnavailable", resourceUnavailable, program)
	InvalidResponse     = id("InvalidResponse", protocolError, program)
	RequestTimedOut     = id("RequestTimedOut", operationTimeout, program)
	ConnectionFailed    = id("ConnectionFailed", connectionError, program)
)

// The sign-in in a browser.
var (
	SignInNeedsUser         = id("SignInNeedsUser", invalidOperation, program)
	SignInTimedOut          = id("SignInTimedOut", operationTimeout, program)
	SignInDenied            = id("SignInDenied", permissionDenied, program)
	SignInIntercepted       = id("SignInIntercepted", securityError, program)
	PortInUse               = id("PortInUse", resourceBusy, program)
	PortNotAllowed          = id("PortNotAllowed", permissionDenied, program)
	PortUnavailable         = id("PortUnavailable", resourceUnavailable, program)
	IssuerMismatch          = id("IssuerMismatch", authenticationError, program)
	InvalidRequest          = id("InvalidRequest", protocolError, program)
	UnsupportedResponseType = id("UnsupportedResponseType", permissionDenied, program)
	ServerError             = id("ServerError", resourceUnavailable, program)
	AuthorizationFailed     = id("AuthorizationFailed", authenticationError, program)
)

// Vaults.
var (
	VaultNotFound          = id("VaultNotFound", objectNotFound, program)
	SessionNotStored       = id("SessionNotStored", objectNotFound, program)
	VaultDataInvalid       = id("VaultDataInvalid", invalidData, program)
	VaultOutOfDate         = id("VaultOutOfDate", invalidData, program)
	SignInRequired         = id("SignInRequired", authenticationError, program)
	VaultUnavailable       = id("VaultUnavailable", resourceUnavailable, program)
	VaultLocked            = id("VaultLocked", permissionDenied, program)
	VaultPassphraseMissing = id("VaultPassphraseMissing", invalidArgument, program)
	VaultPassphraseWrong   = id("VaultPassphraseWrong", authenticationError, program)
	VaultTimedOut          = id("VaultTimedOut", operationTimeout, program)
	VaultFailed            = id("VaultFailed", resourceUnavailable, program)
	SecretNotStored        = id("SecretNotStored", writeError, program)
	VaultBusy              = id("VaultBusy", resourceBusy, program)
	LockFailed             = id("LockFailed", resourceUnavailable, program)
)

// The NinjaOne module, for install, uninstall and status.
var (
	ModuleNotFound     = id("ModuleNotFound", objectNotFound, program)
	ModuleNotSupported = id("ModuleNotSupported", invalidData, program)
	ModuleSigned       = id("ModuleSigned", securityError, program)
	ModuleNotWritable  = id("ModuleNotWritable", permissionDenied, program)
	ModuleIncomplete   = id("ModuleIncomplete", objectNotFound, program)
	ModuleFailed       = id("ModuleFailed", resourceUnavailable, program)
)

// The program itself.
var (
	NotConnected             = id("NotConnected", objectNotFound, wrapper)
	ProgramNotFound          = id("ProgramNotFound", objectNotFound, wrapper)
	ProgramFailed            = id("ProgramFailed", resourceUnavailable, wrapper)
	LanguageModeNotSupported = id("LanguageModeNotSupported", permissionDenied, wrapper)
	UnsupportedVersion       = id("UnsupportedVersion", protocolError, program)
	EmptyRequest             = id("EmptyRequest", invalidData, program)
	MalformedRequest         = id("MalformedRequest", invalidData, program)
	RequestTooLong           = id("RequestTooLong", limitsExceeded, program)
	Interrupted              = id("Interrupted", operationStopped, program)
	InternalError            = id("InternalError", notSpecified, program)
)
