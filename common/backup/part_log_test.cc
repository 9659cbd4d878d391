// Moments between backups, against a model: what the store held after each write, with its time.
#include "common/backup/part_log.h"

#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/backup/backup_folder.h"
#include "common/backup/restore.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly::backup {
namespace {

using testing::Says;
using testing::TempDir;
namespace fs = std::filesystem;
using Content = std::map<std::string, std::string>;

constexpr char kPart[] = "registry";

bool Never() { return false; }

Content ContentOf(const std::string& path) {
  auto store = OpenKvStore(path);
  REQUIRE_OK(store);
  Content content;
  auto it = (*store)->NewIterator();
  for (it->Seek(""); it->Valid(); it->Next()) content[std::string(it->key())] = std::string(it->value());
  REQUIRE_OK(it->status());
  return content;
}

// A store whose process may be killed before it forgets what was archived.
struct Source final : KvSource {
  explicit Source(KvStore& store) : store_(store) {}
  absl::StatusOr<KvBackup> BackUp(const std::string& folder, const std::function<bool()>& stopped) override {
    return store_.BackUp(folder, stopped);
  }
  absl::StatusOr<std::string> Identity() const override { return store_.Identity(); }
  uint64_t LastSequence() const override { return store_.LastSequence(); }
  absl::StatusOr<std::vector<KvLogBatch>> ReadLog(uint64_t position, size_t bytes_max) override {
    return store_.ReadLog(position, bytes_max);
  }
  void ForgetLog(uint64_t position) override {
    if (!killed) store_.ForgetLog(position);
  }

  bool killed = false;

 private:
  KvStore& store_;
};

// A store with its archived log and backups, and what it held at each time.
class World {
 public:
  explicit World(Clock* own_clock = nullptr, size_t keep = size_t{64} << 20)
      : time_(own_clock == nullptr ? clock : *own_clock), keep_(keep) {
    Open();
  }

  void Open() {
    log.reset();
    store.reset();
    auto opened =
        OpenKvStore(dir.File("db"), {.memory_bytes = size_t{4} << 20, .keep_log_bytes = keep_, .clock = &time_});
    REQUIRE_OK(opened);
    store = *std::move(opened);
    source = std::make_unique<Source>(*store);
    log = std::make_unique<PartLog>(kPart, folder.PartFolder(kPart), *source, time_);
  }

  // One write of up to four keys, some of them deleted.
  void Write() {
    clock.Advance(absl::Microseconds(1 + random() % 3'000'000));
    KvBatch batch;
    for (uint64_t count = 1 + random() % 4, i = 0; i < count; ++i) {
      const std::string key = absl::StrCat("k", random() % 50);
      if (random() % 4 == 0) {
        batch.Delete(key);
        content.erase(key);
        continue;
      }
      content[key] = std::string(random() % 3000, static_cast<char>('a' + random() % 26)) + std::to_string(random());
      batch.Put(key, content[key]);
    }
    REQUIRE_OK(store->Write(batch, random() % 2 == 0));
    at[clock.Now()] = content;
  }

  std::string BackUp() {
    clock.Advance(absl::Seconds(1));
    BackupManifest manifest;
    manifest.set_id(BackupIdOf(time_.Now()));
    manifest.set_started_us(absl::ToUnixMicros(time_.Now()));
    log->CopyBegins();
    auto copied = store->BackUp(folder.PartFolder(kPart), Never);
    REQUIRE_OK(copied);
    auto position = log->CopyMade(copied->last_sequence);
    REQUIRE_OK(position);
    PartBackup& part = *manifest.add_parts();
    part.set_part(kPart);
    part.set_number(copied->number);
    *part.mutable_log() = *position;
    for (const KvBackup::File& file : copied->files) {
      BackupFile& added = *part.add_files();
      added.set_path(file.path);
      added.set_bytes(file.bytes);
    }
    REQUIRE_OK(folder.AddChecksums(part, {}, Never));
    clock.Advance(absl::Milliseconds(1));
    manifest.set_finished_us(absl::ToUnixMicros(time_.Now()));
    REQUIRE_OK(folder.Write(manifest));
    positions.push_back(*position);
    return manifest.id();
  }

  // What the store held then.
  Content Expected(absl::Time time) const {
    const auto after = at.upper_bound(time);
    return after == at.begin() ? Content() : std::prev(after)->second;
  }

  absl::StatusOr<Content> Restored(absl::Time time, const std::string& backup = "") {
    const std::string path = dir.File(absl::StrCat("restored", ++restores));
    const absl::StatusOr<chartly::backup::Restored> restored = Restore(folder, {backup, time}, {kPart}, path);
    if (!restored.ok()) {
      CHECK_FALSE(fs::exists(path));
      return restored.status();
    }
    Content found = ContentOf(path + "/" + kPart);
    fs::remove_all(path);
    return found;
  }

  std::vector<std::string> Segments() const {
    std::vector<std::string> paths;
    for (const auto& file : fs::recursive_directory_iterator(folder.PartFolder(kPart) + "/log")) {
      if (file.path().extension() == ".log") paths.push_back(file.path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  TempDir dir;
  FakeClock clock;
  Clock& time_;
  const size_t keep_;
  BackupFolder folder{dir.File("backups")};
  std::unique_ptr<KvStore> store;
  std::unique_ptr<Source> source;
  std::unique_ptr<PartLog> log;
  std::mt19937_64 random{42};
  Content content;
  std::map<absl::Time, Content> at;
  std::vector<LogPosition> positions;
  int restores = 0;
};

void Damage(const std::string& path, int64_t at) {
  std::fstream bytes(path, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekg(at);
  const char byte = static_cast<char>(bytes.get() ^ 1);
  bytes.seekp(at);
  bytes.put(byte);
}

}  // namespace

TEST_CASE("any moment behind a backup is restored as it was, over restarts and further backups") {
  World world;
  for (int i = 0; i < 20; ++i) world.Write();
  world.BackUp();
  const absl::Time first = world.clock.Now();
  for (int i = 0; i < 400; ++i) {
    world.Write();
    if (world.random() % 7 == 0) world.log->Archive();
    if (world.random() % 60 == 0) world.BackUp();
    if (world.random() % 40 == 0) world.Open();
  }
  world.log->Archive();
  const absl::Time last = world.clock.Now();
  // The log is one, whatever came in between.
  std::set<std::string> histories;
  for (const LogPosition& position : world.positions) histories.insert(position.history());
  CHECK(histories.size() == 1);
  for (int i = 0; i < 60; ++i) {
    const absl::Time moment = i == 0   ? first
                              : i == 1 ? last
                                       : first + absl::Microseconds(world.random() % ToInt64Microseconds(last - first));
    INFO(absl::FormatTime(moment));
    auto restored = world.Restored(moment);
    REQUIRE_OK(restored);
    CHECK(*restored == world.Expected(moment));
  }
  // At the border of a write: with it, and without.
  for (auto it = std::next(world.at.begin(), 100); it != std::next(world.at.begin(), 105); ++it) {
    CHECK(*world.Restored(it->first) == it->second);
    CHECK(*world.Restored(it->first - absl::Microseconds(1)) == std::prev(it)->second);
  }
  // The oldest backup does as well as the newest.
  CHECK(*world.Restored(last, (*world.folder.List()).front()) == world.content);
}

TEST_CASE("what several write at once is restored with all that was over by then and nothing that began later") {
  SystemClock clock;
  World world(&clock);
  std::atomic<bool> stop = false;
  struct Note {
    absl::Time begun, over;
  };
  std::vector<std::vector<Note>> notes(4);
  std::vector<std::thread> writers;
  for (size_t writer = 0; writer < notes.size(); ++writer) {
    writers.emplace_back([&, writer] {
      while (!stop) {
        KvBatch batch;
        batch.Put(absl::StrCat("w", writer), std::to_string(notes[writer].size() + 1));
        Note note{clock.Now(), {}};
        if (!world.store->Write(batch, true).ok()) return;
        note.over = clock.Now();
        notes[writer].push_back(note);
      }
    });
  }
  const auto written = [&] { return world.store->LastSequence(); };
  const auto write_more = [&](uint64_t count) {
    const uint64_t goal = written() + count;
    REQUIRE(testing::Eventually([&] { return written() > goal; }));
  };
  write_more(100);
  world.BackUp();
  // A backup is named after its second, and may be used from its end on.
  std::vector<absl::Time> moments;
  for (int i = 0; i < 8; ++i) {
    write_more(100);
    world.log->Archive();
    moments.push_back(clock.Now());
    write_more(50);
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  world.log->Archive();
  for (const absl::Time moment : moments) {
    auto restored = world.Restored(moment);
    REQUIRE_OK(restored);
    for (size_t writer = 0; writer < notes.size(); ++writer) {
      const std::string found = (*restored)[absl::StrCat("w", writer)];
      const size_t count = found.empty() ? 0 : std::stoul(found);
      size_t over = 0;
      size_t begun = 0;
      for (const Note& note : notes[writer]) {
        over += note.over <= moment ? 1 : 0;
        begun += note.begun <= moment ? 1 : 0;
      }
      CHECK(over <= count);
      CHECK(count <= begun);
    }
  }
}

TEST_CASE("a damaged, cut or missing segment is named, with the last moment that can be had") {
  World world;
  world.Write();
  const std::string backup = world.BackUp();
  const absl::Time whole = world.clock.Now();
  for (int i = 0; i < 6; ++i) {
    for (int k = 0; k < 5; ++k) world.Write();
    world.log->Archive();
    world.clock.Advance(absl::Minutes(6));  // the next one begins a segment of its own
  }
  const std::vector<std::string> segments = world.Segments();
  REQUIRE(segments.size() == 6);
  const absl::Time last = world.clock.Now() - absl::Minutes(6);
  REQUIRE_OK(world.Restored(last));
  // The writes of the first three segments, behind the one of the backup.
  const auto border = std::next(world.at.begin(), 15);
  for (const std::string fault : {"flip", "cut", "empty", "missing"}) {
    INFO(fault);
    fs::copy_file(segments[3], world.dir.File("good"), fs::copy_options::overwrite_existing);
    const auto size = static_cast<int64_t>(fs::file_size(segments[3]));
    if (fault == "flip") Damage(segments[3], size / 2);
    if (fault == "cut") fs::resize_file(segments[3], static_cast<uintmax_t>(size - 1));
    if (fault == "empty") fs::resize_file(segments[3], 0);
    if (fault == "missing") fs::remove(segments[3]);
    const absl::Status refused = world.Restored(last).status();
    CHECK(Reason(refused) == "MOMENT_NOT_KEPT");
    const std::string until = absl::FormatTime(absl::RFC3339_full, border->first, absl::UTCTimeZone());
    CHECK(Says(refused, until));
    CHECK(Says(refused, fault == "missing" ? "missing" : fs::path(segments[3]).filename().string()));
    CHECK(*world.Restored(border->first) == border->second);
    CHECK(*world.Restored(whole) == world.at.begin()->second);
    const LogFolder folder(world.folder.PartFolder(kPart));
    CHECK(folder.Verify(world.positions[0], Never)->faults.size() == 1);
    fs::copy_file(world.dir.File("good"), segments[3], fs::copy_options::overwrite_existing);
    CHECK(folder.Verify(world.positions[0], Never)->faults.empty());
  }
  // The last one, which no name of another shows, but the mark does.
  fs::rename(segments[5], world.dir.File("good"));
  CHECK(Says(world.Restored(last).status(), "missing"));
  fs::rename(world.dir.File("good"), segments[5]);
  const absl::Status later = world.Restored(world.clock.Now() + absl::Hours(1)).status();
  CHECK(Says(later, "the log ends there"));
  CHECK(Reason(world.Restored(whole - absl::Hours(1)).status()) == "BACKUP_NOT_FOUND");
  CHECK(Reason(world.Restored(whole - absl::Hours(1), backup).status()) == "MOMENT_BEFORE_BACKUP");
}

TEST_CASE("a moment after the last write is restored once it was seen that nothing came") {
  World world;
  world.Write();
  world.BackUp();
  world.Write();
  world.clock.Advance(absl::Hours(5));
  CHECK(Reason(world.Restored(world.clock.Now()).status()) == "MOMENT_NOT_KEPT");
  world.log->Archive();
  CHECK(*world.Restored(world.clock.Now()) == world.content);
  const LogFolder folder(world.folder.PartFolder(kPart));
  CHECK(folder.Reach(world.positions[0])->until_us == absl::ToUnixMicros(world.clock.Now()));
}

TEST_CASE("an archiver that is killed anywhere leaves no gap") {
  World world;
  world.Write();
  world.BackUp();
  const std::string mark =
      LogFolder(world.folder.PartFolder(kPart)).HistoryFolder(world.positions[0].history()) + "/mark";
  for (int i = 0; i < 30; ++i) {
    const std::vector<std::string> before = world.Segments();
    if (fs::exists(mark)) fs::copy_file(mark, world.dir.File("mark"), fs::copy_options::overwrite_existing);
    const std::string kept = before.empty() ? "" : before.back();
    if (!kept.empty()) fs::copy_file(kept, world.dir.File("before"), fs::copy_options::overwrite_existing);
    world.Write();
    world.Write();
    world.source->killed = true;
    world.log->Archive();
    const std::vector<std::string> after = world.Segments();
    if (i % 3 == 0) fs::rename(after.back(), after.back() + ".new");  // before the new segment has its name
    if (i % 3 < 2) {  // before the one that it holds goes, and the mark is written
      if (!kept.empty()) fs::copy_file(world.dir.File("before"), kept, fs::copy_options::skip_existing);
      fs::copy_file(world.dir.File("mark"), mark, fs::copy_options::overwrite_existing);
    }
    if (i % 3 == 2 && !kept.empty()) fs::remove(mark);  // with the power: a mark is not synced
    world.Open();
    if (i % 4 == 0) continue;  // killed again before it archived anything
    world.log->Archive();
    CHECK(world.log->Fault().empty());
    CHECK(*world.Restored(world.clock.Now()) == world.content);
  }
  for (const auto& [time, content] : world.at) {
    if (time > std::next(world.at.begin())->first) CHECK(*world.Restored(time) == content);
  }
}

TEST_CASE("a folder that is away is caught up with, and beyond the bound the next backup begins another log") {
  World world(nullptr, size_t{4} << 20);
  world.Write();
  world.BackUp();
  world.Write();
  world.log->Archive();
  const absl::Time kept = world.clock.Now();
  const Content at_kept = world.content;
  const std::string log = world.folder.PartFolder(kPart) + "/log";
  fs::rename(log, log + ".away");
  std::ofstream(log) << "in the way";
  world.Write();
  world.log->Archive();
  CHECK(world.log->Fault().empty());
  fs::remove(log);
  fs::rename(log + ".away", log);
  world.log->Archive();
  CHECK(*world.Restored(world.clock.Now()) == world.content);

  for (int i = 0; i < 80; ++i) {
    KvBatch batch;
    batch.Put("large", std::string(size_t{1} << 20, static_cast<char>('a' + i % 26)));
    REQUIRE_OK(world.store->Write(batch, false));
  }
  world.clock.Advance(absl::Seconds(1));
  world.log->Archive();
  CHECK(world.log->Fault().find("make one now") != std::string::npos);
  CHECK(*world.Restored(kept) == at_kept);
  CHECK(Reason(world.Restored(world.clock.Now()).status()) == "MOMENT_NOT_KEPT");
  world.content["large"] = std::string(size_t{1} << 20, static_cast<char>('a' + 79 % 26));
  world.BackUp();
  CHECK(world.log->Fault().empty());
  CHECK(world.positions.back().history() != world.positions.front().history());
  world.Write();
  world.log->Archive();
  CHECK(*world.Restored(world.clock.Now()) == world.content);
}

TEST_CASE("a store that was restored does not go on with the log of the lost one") {
  World world;
  world.Write();
  world.BackUp();
  const absl::Time early = world.clock.Now();
  world.Write();
  world.log->Archive();
  const absl::Time late = world.clock.Now();
  const Content lost = world.content;
  const std::string path = world.dir.File("new");
  REQUIRE_OK(Restore(world.folder, {"", early}, {kPart}, path));
  world.log.reset();
  world.store.reset();
  fs::remove_all(world.dir.File("db"));
  fs::rename(path + "/" + kPart, world.dir.File("db"));
  world.Open();
  world.content = world.at.begin()->second;
  world.Write();
  world.log->Archive();
  CHECK(world.log->Fault().empty());
  // The moments of the lost one can be had as before, those of the new one from its first backup on.
  CHECK(*world.Restored(late) == lost);
  CHECK(Reason(world.Restored(world.clock.Now()).status()) == "MOMENT_NOT_KEPT");
  world.BackUp();
  world.Write();
  world.log->Archive();
  CHECK(*world.Restored(world.clock.Now()) == world.content);
  CHECK(*world.Restored(late) == lost);
}

TEST_CASE("segments go with the backups that need them") {
  World world;
  for (int i = 0; i < 4; ++i) {
    world.Write();
    world.BackUp();
    for (int k = 0; k < 3; ++k) {
      world.Write();
      world.log->Archive();
      world.clock.Advance(absl::Minutes(6));
    }
  }
  const std::vector<std::string> ids = *world.folder.List();
  const size_t all = world.Segments().size();
  REQUIRE_OK(world.folder.Remove(ids[0]));
  REQUIRE_OK(world.folder.Remove(ids[1]));
  REQUIRE_OK(world.log->Keep({world.positions[2], world.positions[3]}));
  CHECK(world.Segments().size() < all);
  CHECK(world.Segments().size() >= 6);
  for (auto it = world.at.lower_bound(*TimeOfBackup(ids[2]) + absl::Seconds(1)); it != world.at.end(); ++it) {
    CHECK(*world.Restored(it->first) == it->second);
  }
  // Without any backup the newest stays, for the log goes on behind it.
  REQUIRE_OK(world.log->Keep({}));
  CHECK(world.Segments().size() == 1);
  world.Open();
  world.BackUp();
  world.Write();
  world.log->Archive();
  CHECK(*world.Restored(world.clock.Now()) == world.content);
}

}  // namespace chartly::backup
