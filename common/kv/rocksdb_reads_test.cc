#include "common/kv/rocksdb_reads.h"

#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

using rocksdb::Status;

}  // namespace

TEST_CASE("a full disk is told from an fsync that failed, whatever the status of the engine is") {
  const Status append = Status::NoSpace("While appending to file: /data/000007.log", "No space left on device");
  const Status stalled = Status::Incomplete(append.ToString());
  CHECK(IsOfFullDisk(append));
  CHECK(IsOfFullDisk(stalled));
  CHECK(Reason(ConvertStatus(append, "/data")) == "STORE_FULL");
  CHECK(Reason(ConvertStatus(stalled, "/data")) == "STORE_FULL");
  for (const char* call : {"While fdatasync: ", "While fsync: "}) {
    const Status sync = Status::NoSpace(std::string(call) + "/data/000007.log", "No space left on device");
    CHECK(!IsOfFullDisk(sync));
    CHECK(!IsOfFullDisk(Status::Incomplete(sync.ToString())));
    CHECK(Reason(ConvertStatus(sync, "/data")) == "STORE_IO_ERROR");
  }
  CHECK(!IsOfFullDisk(Status::Incomplete("something else")));
  CHECK(!IsOfFullDisk(Status::IOError("While appending to file: /data/000007.log", "Input/output error")));
  CHECK(!IsOfFullDisk(Status::OK()));
}

}  // namespace chartly
