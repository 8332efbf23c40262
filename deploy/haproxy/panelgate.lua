-- Asks Panelgate about a request and carries its answer.
--
--   setenv PANELGATE_SIDECAR unix@/run/panelgate/sidecar.sock
--   lua-load-per-thread /etc/haproxy/panelgate.lua
--   http-request lua.panelgate
--
-- A 200 sets the identity headers and txn.panelgate_allowed. Every other answer is handed to the client whole (redirect,
-- page, problem document). No answer, or an error in here, is a 503: the configuration passes on nothing for which
-- txn.panelgate_allowed is not set.

local sidecar = os.getenv("PANELGATE_SIDECAR")
if sidecar == nil or sidecar == "" then
  error("panelgate.lua: set PANELGATE_SIDECAR in the global section, above lua-load-per-thread")
end
local url = "http://panelgate/api/authz/forward-auth"
local timeout_ms = 10000

-- These come back without the gate's own cookies, tokens and API keys.
local credentials = { "cookie", "authorization", "x-api-key" }
-- All of them, always: an empty one replaces what the client sent.
local identity = {
  "remote-user", "remote-groups", "remote-email", "remote-name",
  "x-gate-role", "x-gate-session", "x-gate-access", "x-gate-elevated-until",
  "x-gate-actor", "x-gate-decision", "x-gate-assertion",
}

-- What belongs to one connection or describes a body; everything else of the client's is copied.
local not_copied = {
  ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
  ["transfer-encoding"] = true, ["upgrade"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true,
}

-- HAProxy counts header values from 0.
local function each(values)
  local index = -1
  return function()
    index = index + 1
    return values[index]
  end
end

local function question(txn)
  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if not not_copied[name] then
      headers[name] = {}
      for value in each(values) do
        table.insert(headers[name], value)
      end
    end
  end
  -- `wss` tells a WebSocket from a page.
  local upgrade = txn.sf:req_hdr("upgrade") ~= ""
  headers["x-forwarded-proto"] = { upgrade and "wss" or "https" }
  headers["x-forwarded-method"] = { txn.sf:method() }
  headers["x-forwarded-host"] = { txn.sf:req_hdr("host") }
  headers["x-forwarded-uri"] = { txn.sf:pathq() }
  headers["x-forwarded-for"] = { txn.sf:src() }
  return headers
end

local function allow(txn, answer)
  local function value(name)
    local values = answer.headers[name]
    return values and values[0] or ""
  end
  for _, name in ipairs(identity) do
    txn.http:req_set_header(name, value(name))
  end
  for _, name in ipairs(credentials) do
    txn.http:req_del_header(name)
    if value(name) ~= "" then
      txn.http:req_set_header(name, value(name))
    end
  end
  txn:set_var("txn.panelgate_allowed", true)
end

local function carry(txn, answer)
  local reply = txn:reply()
  reply:set_status(answer.status, answer.reason)
  for name, values in pairs(answer.headers) do
    if not not_copied[name] then
      for value in each(values) do
        reply:add_header(name, value)
      end
    end
  end
  reply:set_body(answer.body or "")
  txn:done(reply)
end

core.register_action("panelgate", { "http-req" }, function(txn)
  local client = core.httpclient()
  local answer = client:get({
    url = url,
    dst = sidecar,
    headers = question(txn),
    timeout = timeout_ms,
  })
  if answer == nil or answer.status == nil or answer.status < 200 then
    return
  elseif answer.status == 200 then
    allow(txn, answer)
  else
    carry(txn, answer)
  end
end, 0)
