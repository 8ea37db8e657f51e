package flows

import (
	"fmt"
	"strings"
	"time"

	"ninjaone-auth/pkg/callback"
	"ninjaone-auth/pkg/failure"
)

func (c *Client) needsUser(because string) *failure.Error {
	return &failure.Error{
		ID: "SignInNeedsUser", Category: failure.InvalidOperation, Target: c.App.BaseURL,
		Message: fmt.Sprintf("-UseWebAuth needs someone who signs in with a browser, and %s; nothing was opened.", because),
		Recommendation: "Use -UseClientAuth, or -UseTokenAuth with a refresh token, in scripts and scheduled jobs; " +
			"or run Connect-NinjaOne -UseWebAuth in an interactive PowerShell.",
	}
}

// signInTimedOut names the causes for which NinjaOne shows an error page and never redirects (module contract).
func (c *Client) signInTimedOut(request AuthorizationCode, timeout time.Duration) *failure.Error {
	return &failure.Error{
		ID: "SignInTimedOut", Category: failure.OperationTimeout, Target: c.App.BaseURL,
		Message: fmt.Sprintf("Nobody came back from %s within %g seconds. The redirect URI that was sent is '%s'.", c.App.BaseURL, timeout.Seconds(), request.RedirectURI),
		Recommendation: fmt.Sprintf("If the browser showed an error page of NinjaOne, then either the redirect URI or the client id is not as registered: "+
			"compare '%s' (to the letter, trailing slash included) and '%s' with Administration > Apps > API; "+
			"or the application lives in another region: try another -Instance than '%s'. "+
			"Otherwise run Connect-NinjaOne again; %s allows a longer wait.",
			request.RedirectURI, c.App.ClientID, c.App.Instance, timeoutVariable),
	}
}

func (c *Client) issuerMismatch(issuer string) *failure.Error {
	return &failure.Error{
		ID: "IssuerMismatch", Category: failure.AuthenticationError, Target: c.App.BaseURL,
		Message:        fmt.Sprintf("The answer in the browser came from '%s' instead of '%s', so it was not used.", failure.Clean(issuer), c.App.BaseURL),
		Recommendation: "Run Connect-NinjaOne again and sign in only on the page that it opens; check -Instance. If it happens again, tell your NinjaOne administrator.",
	}
}

// authorizationError is for the error codes of RFC 6749 section 4.1.2.1.
func (c *Client) authorizationError(response *callback.Response, request AuthorizationCode) *failure.Error {
	failed := &failure.Error{Category: failure.PermissionDenied, Target: c.App.BaseURL}
	const settings = "under Administration > Apps > API in NinjaOne"
	switch response.Error {
	case "access_denied":
		failed.ID = "SignInDenied"
		failed.Message = fmt.Sprintf("The sign-in of '%s' at %s was refused.", c.App.ClientID, c.App.BaseURL)
		failed.Recommendation = "Run Connect-NinjaOne again and allow the access, as a user who may use the scopes asked for."
	case "invalid_scope":
		failed.ID = "InvalidScope"
		failed.Message = fmt.Sprintf("The application '%s' may not have the scopes '%s'.", c.App.ClientID, strings.Join(request.Scopes, " "))
		failed.Recommendation = "Pass the application's own scopes with -Scopes, or add the missing ones " + settings + "."
	case "unauthorized_client":
		failed.ID = "UnauthorizedClient"
		failed.Message = fmt.Sprintf("The application '%s' may not use the grant type authorization_code.", c.App.ClientID)
		failed.Recommendation = "Allow the grant type for the application " + settings + ", or use -UseClientAuth."
	case "unsupported_response_type":
		failed.ID = "UnsupportedResponseType"
		failed.Message = fmt.Sprintf("%s does not offer the sign-in with a code to '%s'.", c.App.BaseURL, c.App.ClientID)
		failed.Recommendation = "Check that the application's platform allows the authorization code grant " + settings + ", or use -UseClientAuth."
	case "invalid_request":
		failed.ID, failed.Category = "InvalidRequest", failure.ProtocolError
		failed.Message = fmt.Sprintf("%s rejected the sign-in request as invalid.", c.App.BaseURL)
		failed.Recommendation = fmt.Sprintf("Compare -ClientId, -Scopes and the redirect URI '%s' with the application's settings %s.", request.RedirectURI, settings)
	case "temporarily_unavailable":
		failed.ID, failed.Category = "ServiceUnavailable", failure.ResourceUnavailable
		failed.Message = fmt.Sprintf("%s can't serve sign-ins at the moment.", c.App.BaseURL)
		failed.Recommendation = "Check NinjaOne's status page and run Connect-NinjaOne again later."
	case "server_error":
		failed.ID, failed.Category = "ServerError", failure.ResourceUnavailable
		failed.Message = fmt.Sprintf("%s had an error of its own during the sign-in.", c.App.BaseURL)
		failed.Recommendation = "Run Connect-NinjaOne again; if it stays so, check NinjaOne's status page or ask its support."
	default:
		failed.ID, failed.Category = "AuthorizationFailed", failure.AuthenticationError
		failed.Message = fmt.Sprintf("%s ended the sign-in with the error '%s'.", c.App.BaseURL, failure.Clean(response.Error))
		failed.Recommendation = "Check the application's settings " + settings + ", then run Connect-NinjaOne again."
	}
	if description := failure.Clean(response.Description, c.App.ClientSecret); description != "" {
		failed.Message += fmt.Sprintf(" NinjaOne says: %s.", strings.TrimSuffix(description, "."))
	}
	return failed
}
