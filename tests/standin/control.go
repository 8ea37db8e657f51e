package standin

import (
	"encoding/json"
	"net/http"
	"time"
)

// Control is the stand-in's control API: JSON over plain HTTP, for callers in other processes. Unknown fields are refused.
//
//	POST   /apps            an App, {} for a usual one; answers it with its defaults
//	POST   /faults          a Fault, with "delayMs" for its delay; answers {}
//	DELETE /faults          removes the faults that are left
//	GET    /requests        the log, [Request …]
//	GET    /counters        Counters
//	GET    /secrets         ["…"], every secret ever registered or issued
//	GET    /violations      ["…"], what clients must never do
//	POST   /refresh-token   {"clientId"}: issues one, {"refreshToken"}
//	GET    /refresh-token?clientId=…   the newest valid one, {"refreshToken"}, "" when there is none
//	POST   /check           {"accessToken", "refreshToken"}: {"access": bool, "refresh": bool}, whether they are valid
//	POST   /expire          {"clientId"}: ends its access tokens
//	POST   /revoke          {"clientId"}: ends its refresh tokens
//	POST   /reset           forgets everything but the secrets
//
// What is not as asked is a 400 with {"error"}.
func (s *Service) Control() http.Handler {
	mux := http.NewServeMux()
	type client struct {
		ClientID string `json:"clientId"`
	}
	type refresh struct {
		RefreshToken string `json:"refreshToken"`
	}
	type none struct{}

	control(mux, "POST /apps", func(app App) (App, error) { return s.Register(app) })
	control(mux, "POST /faults", func(fault controlFault) (none, error) {
		fault.Fault.Delay = time.Duration(fault.DelayMs) * time.Millisecond
		return none{}, s.Fail(fault.Fault)
	})
	control(mux, "DELETE /faults", func(none) (none, error) { s.ClearFaults(); return none{}, nil })
	control(mux, "GET /requests", func(none) ([]Request, error) { return s.Requests(), nil })
	control(mux, "GET /counters", func(none) (Counters, error) { return s.Counters(), nil })
	control(mux, "GET /secrets", func(none) ([]string, error) { return s.Secrets(), nil })
	control(mux, "GET /violations", func(none) ([]string, error) { return s.Violations(), nil })
	control(mux, "POST /refresh-token", func(c client) (refresh, error) {
		return refresh{s.IssueRefreshToken(c.ClientID)}, nil
	})
	mux.HandleFunc("GET /refresh-token", func(w http.ResponseWriter, r *http.Request) {
		reply(w, http.StatusOK, refresh{s.CurrentRefreshToken(r.URL.Query().Get("clientId"))})
	})
	control(mux, "POST /check", func(tokens struct {
		AccessToken  string `json:"accessToken"`
		RefreshToken string `json:"refreshToken"`
	}) (map[string]bool, error) {
		return map[string]bool{
			"access": s.IsValidAccess(tokens.AccessToken), "refresh": s.IsValidRefresh(tokens.RefreshToken),
		}, nil
	})
	control(mux, "POST /expire", func(c client) (none, error) { s.ExpireAccess(c.ClientID); return none{}, nil })
	control(mux, "POST /revoke", func(c client) (none, error) { s.RevokeRefresh(c.ClientID); return none{}, nil })
	control(mux, "POST /reset", func(none) (none, error) { s.Reset(); return none{}, nil })
	return mux
}

type controlFault struct {
	Fault
	DelayMs int `json:"delayMs"`
}

// control serves one method of the control API: JSON in (nothing counts as {}), JSON out.
func control[In, Out any](mux *http.ServeMux, pattern string, do func(In) (Out, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		var in In
		if r.ContentLength != 0 {
			decoder := json.NewDecoder(r.Body)
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&in); err != nil {
				reply(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
				return
			}
		}
		out, err := do(in)
		if err != nil {
			reply(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		reply(w, http.StatusOK, out)
	})
}

func reply(w http.ResponseWriter, status int, fields any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(fields)
}
