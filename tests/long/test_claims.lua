--- 32 processes claim 20,000 tasks, some of them killed: the test of tests/lua/records at its size.
CLAIMS = {tasks = 20000, workers = 32, kills = 6} -- luacheck: ignore 111
dofile((arg[0]:match "^(.*/)" or "./") .. "../lua/records/test_task_queue.lua")
