#include "control/coordinator/event_log.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::coordinator {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

v1::Run RunCalled(const std::string& id) {
  v1::Run run;
  run.set_run_id(id);
  return run;
}

}  // namespace

TEST_CASE("a watcher resumes after the event it saw last") {
  EventLog log(kNow);
  for (int i = 0; i < 10; ++i) log.Append(RunCalled(absl::StrCat("r", i)), kNow);
  int64_t position = *log.Position("");
  CHECK(log.Next(position).empty());
  position = *log.Position(absl::StrCat(position - 3));
  std::vector<v1::Event> events = log.Next(position);
  REQUIRE(events.size() == 3);
  CHECK(events[0].run().run_id() == "r7");
  position = *log.Position(events[1].id());
  events = log.Next(position);
  REQUIRE(events.size() == 1);
  CHECK(events[0].run().run_id() == "r9");
}

TEST_CASE("a watcher that is too slow goes on with the oldest event held") {
  EventLog log(kNow, /*capacity=*/4);
  int64_t position = *log.Position("");
  for (int i = 0; i < 10; ++i) log.Append(RunCalled(absl::StrCat("r", i)), kNow);
  std::vector<v1::Event> events = log.Next(position);
  REQUIRE(events.size() == 4);
  CHECK(events[0].run().run_id() == "r6");
  CHECK(log.Next(position).empty());
}

TEST_CASE("ids grow over a restart and a position from the future waits for what comes next") {
  EventLog before(kNow);
  before.Append(RunCalled("a"), kNow);
  int64_t last = *before.Position("");
  EventLog after(kNow + absl::Seconds(1));
  CHECK(*after.Position("") > last);
  CHECK(*after.Position("99999999999999999") == *after.Position(""));
  CHECK(Reason(after.Position("abc").status()) == "EVENT_ID_INVALID");
  CHECK(Reason(after.Position("-1").status()) == "EVENT_ID_INVALID");
}

TEST_CASE("a listener is told of each event and of the end for as long as it lives") {
  struct Ear final : EventListener {
    void OnNews() override { ++told; }
    int told = 0;
  };
  EventLog log(kNow);
  auto ear = std::make_shared<Ear>(), other = std::make_shared<Ear>();
  log.Listen(ear);
  log.Listen(other);
  log.Append(RunCalled("a"), kNow);
  std::weak_ptr<Ear> gone = other;
  other.reset();
  CHECK(gone.expired());
  log.Append(v1::Drone(), kNow);
  CHECK(ear->told == 2);
  log.Close();
  CHECK(ear->told == 3);
  CHECK(log.closed());
}

}  // namespace chartly::coordinator
