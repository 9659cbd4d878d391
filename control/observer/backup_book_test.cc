#include "control/observer/backup_book.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::observer {
namespace {

using testing::Eventually;
using testing::Says;
using testing::TempDir;
namespace fs = std::filesystem;

// Parts whose copies are one file each.
class FakeCopies final : public PartCopies {
 public:
  explicit FakeCopies(const std::string& folder) : folder_(folder) {}

  absl::StatusOr<storage::v1::PartBackup> Make(Part part) override {
    if (before) before(part);
    if (part == broken) return absl::UnavailableError("the disk hums");
    if (cancelled_) return absl::CancelledError("stopped");
    order.push_back(InfoOf(part).name);
    storage::v1::PartBackup copy;
    copy.set_part(InfoOf(part).name);
    copy.set_number(++number_);
    copy.set_copied_bytes(5);
    auto& file = *copy.add_files();
    file.set_path(absl::StrCat("copy", number_));
    file.set_bytes(5);
    fs::create_directories(folder_.PartFolder(copy.part()));
    std::ofstream(folder_.PartFolder(copy.part()) + "/" + file.path()) << "12345";
    if (part == Part::kAggregator) copy.mutable_ledger()->set_records(42);
    return copy;
  }
  absl::Status Keep(Part part, const KeptCopies& copies) override {
    kept[InfoOf(part).name] = copies.numbers;
    return absl::OkStatus();
  }
  void Cancel() override { cancelled_ = true; }

  std::function<void(Part)> before;
  std::optional<Part> broken;
  std::vector<std::string> order;
  std::map<std::string, std::vector<uint32_t>> kept;

 private:
  backup::BackupFolder folder_;
  uint32_t number_ = 0;
  std::atomic<bool> cancelled_ = false;
};

struct Fixture {
  TempDir dir;
  FakeClock clock;
  FakeCopies copies{dir.path()};
  BackupBook book{{dir.path(), 2}, copies, clock};

  v1::Backup End(const std::string& name) {
    v1::Backup backup;
    REQUIRE(Eventually([&] {
      auto got = book.Get(name);
      if (!got.ok()) return false;
      backup = *got;
      return backup.state() != v1::BACKUP_STATE_RUNNING && backup.verification().state() != v1::BACKUP_STATE_RUNNING;
    }));
    return backup;
  }
  v1::Backup Make() {
    absl::StatusOr<v1::Backup> begun;
    // The job before may still be dropping what is old.
    REQUIRE(Eventually([&] { return (begun = book.Create()).ok(); }));
    CHECK(begun->state() == v1::BACKUP_STATE_RUNNING);
    return End(begun->name());
  }
};

}  // namespace

TEST_CASE("a backup takes the coordinator before the records, and these before what they refer to") {
  Fixture fixture;
  const v1::Backup backup = fixture.Make();
  CHECK(backup.state() == v1::BACKUP_STATE_READY);
  CHECK(backup.records() == 42);
  CHECK(backup.size_bytes() == 35);
  CHECK(fixture.copies.order ==
        std::vector<std::string>{"coordinator", "reporter", "releases", "aggregator", "registry", "auth", "audit"});
}

TEST_CASE("backups of one second have names of their own, and the oldest go") {
  Fixture fixture;
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) names.push_back(fixture.Make().name());
  CHECK(names[0] < names[1]);
  CHECK(names[1] < names[2]);
  REQUIRE(Eventually([&] { return fixture.book.List({})->backups_size() == 2; }));
  // The second of the first is free again, but a name of it would make the newest backup the oldest, which goes.
  names.erase(names.begin() + 1);
  names.push_back(fixture.Make().name());
  CHECK(names[1] < names[2]);
  REQUIRE(Eventually([&] { return fixture.book.List({})->backups_size() == 2; }));
  auto list = fixture.book.List({});
  CHECK(list->backups(0).name() == names[2]);
  CHECK(list->backups(1).name() == names[1]);
  CHECK(Reason(fixture.book.Get(names[0]).status()) == "BACKUP_NOT_FOUND");
  REQUIRE(Eventually([&] { return fixture.book.Create().ok(); }));  // the job is over
  CHECK(fixture.copies.kept["coordinator"].size() == 2);
  v1::ListBackupsRequest page;
  page.set_page_size(1);
  CHECK_FALSE(fixture.book.List(page)->next_page_token().empty());
}

TEST_CASE("a part that fails makes the backup fail, and the ones before stay") {
  Fixture fixture;
  const v1::Backup good = fixture.Make();
  fixture.copies.broken = Part::kRegistry;
  const v1::Backup bad = fixture.Make();
  CHECK(bad.state() == v1::BACKUP_STATE_FAILED);
  CHECK(bad.error().find("registry: the disk hums") != std::string::npos);
  CHECK(fixture.End(good.name()).state() == v1::BACKUP_STATE_READY);
  CHECK(fixture.book.List({})->backups_size() == 2);
}

TEST_CASE("one job at a time, and a process that stops gives it up") {
  Fixture fixture;
  absl::Notification inside;
  absl::Notification go_on;
  fixture.copies.before = [&](Part part) {
    if (part != Part::kAggregator || inside.HasBeenNotified()) return;
    inside.Notify();
    go_on.WaitForNotification();
  };
  REQUIRE_OK(fixture.book.Create());
  inside.WaitForNotification();
  CHECK(Reason(fixture.book.Create().status()) == "BACKUP_BUSY");
  fixture.copies.Cancel();
  go_on.Notify();
  fixture.book.Shutdown();
  CHECK(Reason(fixture.book.Create().status()) == "OBSERVER_STOPPING");
  CHECK(backup::BackupFolder(fixture.dir.path()).List()->empty());
}

TEST_CASE("a check names the file that is damaged, and a backup without a folder says what to do") {
  Fixture fixture;
  const v1::Backup backup = fixture.Make();
  REQUIRE(Eventually([&] { return fixture.book.Verify(backup.name()).ok(); }));
  CHECK(fixture.End(backup.name()).verification().state() == v1::BACKUP_STATE_READY);
  std::ofstream(fixture.dir.File("parts/aggregator/copy4")) << "12346";
  REQUIRE(Eventually([&] { return fixture.book.Verify(backup.name()).ok(); }));
  const v1::Backup checked = fixture.End(backup.name());
  CHECK(checked.verification().state() == v1::BACKUP_STATE_FAILED);
  REQUIRE(checked.verification().faults_size() == 1);
  CHECK(checked.verification().faults(0).find("aggregator/copy4") != std::string::npos);

  BackupBook none({"", 2}, fixture.copies, fixture.clock);
  CHECK(Reason(none.Create().status()) == "BACKUP_DIR_NOT_SET");
  CHECK(none.List({})->backups_size() == 0);
}

}  // namespace chartly::observer
