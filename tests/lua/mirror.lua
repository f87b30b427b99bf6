--- For tests: starts tests/mirror.py, the local mirror, and tells where it listens. Nothing of it
-- leaves the machine.
local M = {}

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

function M.has(program) return os.execute("command -v " .. program .. " >/dev/null 2>&1") end

-- A throw-away certificate for 127.0.0.1 in the folder; true where openssl made one.
local function make_certificate(folder)
  if not M.has "openssl" then return false end
  local command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
    .. "-addext subjectAltName=IP:127.0.0.1 -keyout %s/key.pem -out %s/cert.pem >/dev/null 2>&1"
  return os.execute(command:format(quote(folder), quote(folder))) == true
end

local function wait_for(path)
  for _ = 1, 200 do
    local file = io.open(path)
    if file then
      local text = file:read "a"
      file:close()
      return text
    end
    os.execute "sleep 0.05"
  end
  error(path .. ": the mirror has not started within 10 s")
end

--- Starts a mirror of the files in `folder`, or gives nil where there is no python3.
-- @param script string: the path of mirror.py
-- @return {http=, https=, closed= base URLs; https nil without openssl; cert=, stop=, requests=}
function M.start(script, folder)
  if not M.has "python3" then return nil end
  local arguments = quote(folder)
  local secure = make_certificate(folder)
  if secure then
    arguments = ("%s %s/cert.pem %s/key.pem"):format(arguments, arguments, arguments)
  end
  -- exec: the mirror is this program's own child, and ends with it
  local pipe = io.popen(("exec python3 %s %s"):format(quote(script), arguments), "w")
  local text = wait_for(folder .. "/ports")
  local http, https, closed, pid = text:match "http (%d+) https (%d+) closed (%d+) pid (%d+)"
  local self = {
    http = "http://127.0.0.1:" .. http, closed = "http://127.0.0.1:" .. closed,
    https = secure and "https://127.0.0.1:" .. https or nil, cert = folder .. "/cert.pem",
  }
  function self.stop()
    os.execute("kill " .. pid)
    pipe:close()
  end
  --- The paths asked for since the last call.
  function self.requests()
    local paths, file = {}, io.open(folder .. "/requests")
    if not file then return paths end
    for line in file:lines() do paths[#paths + 1] = line end
    file:close()
    os.remove(folder .. "/requests")
    return paths
  end
  return self
end

return M
