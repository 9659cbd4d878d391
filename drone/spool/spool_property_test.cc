// Thousands of damages to the files of a spool, each against a model of what may be lost: nothing wrong is handed out,
// what is missing is reported with its exact range, what is not damaged is there, every run can be closed, and no
// cursor claims rows that were lost. CHARTLY_CHAOS=full makes 10,000 of them.
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "drone/spool/spool_fixture_test.h"

namespace chartly::drone {
namespace {

namespace fs = std::filesystem;
using testing::TempDir;

std::string Slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

struct Written {
  std::string run;
  EntryKind kind;
  std::string payload;
  int64_t fetched;
};

// A spool with ended, open and half-released runs, whose files can be put back as they were.
class Original {
 public:
  Original() {
    spool_ = OpenSpool(path(), SmallSegments());
    for (const char* run : {"gone", "first", "second", "open", "third"}) REQUIRE_OK(spool_->BeginRun(Describe(run)));
    for (int i = 0; i < 4; ++i) Append("gone", 600);
    End("gone");
    released = spool_->last_seq() - 1;
    REQUIRE_OK(spool_->Release(released));
    for (int round = 0; round < 6; ++round) {
      for (const char* run : {"first", "second", "open", "third"}) {
        if (!ended_.count(run)) Append(run, 50 + 130 * static_cast<size_t>((round * 7 + run[0]) % 5));
      }
      if (round == 2) End("first");
      if (round == 4) End("second");
    }
    End("third");
    Append("open", 10);
    acked = 9;
    REQUIRE_OK(spool_->Ack(acked));
    spool_.reset();
    for (const auto& entry : fs::recursive_directory_iterator(path())) {
      if (entry.is_regular_file()) files[fs::relative(entry.path(), path()).string()] = Slurp(entry.path());
    }
    files.erase("LOCK");
    for (const auto& [name, bytes] : files) {
      if (absl::EndsWith(name, ".seg")) segments.push_back(name);
    }
  }

  // Everything as it was, but `changed`; a file without content is absent. The lock stays the same file, or the spool
  // would be a copy.
  void Restore(const std::map<std::string, std::optional<std::string>>& changed) {
    for (const char* folder : {"", "runs", "cursors"}) {
      for (const auto& entry : fs::directory_iterator(fs::path(path()) / folder)) {
        if (entry.is_regular_file() && entry.path().filename() != "LOCK") fs::remove(entry.path());
      }
    }
    for (const auto& [name, bytes] : files) {
      auto found = changed.find(name);
      if (found == changed.end()) Write(name, bytes);
      if (found != changed.end() && found->second) Write(name, *found->second);
    }
  }

  std::string path() const { return dir_.File("spool"); }

  std::map<int64_t, Written> written;
  std::map<std::string, std::string> files;
  std::vector<std::string> segments;
  int64_t acked = 0;
  int64_t released = 0;

 private:
  static v1::RunEnd Describe(const std::string& run) {
    v1::RunEnd end = RunOf(run);
    end.set_profile_id("p");
    return end;
  }
  void Append(const std::string& run, size_t bytes) {
    std::string payload = absl::StrCat(run, " ", written.size(), std::string(bytes, 'x'));
    int64_t fetched = static_cast<int64_t>(1 + written.size() % 3);
    auto seq = spool_->Append(run, payload, fetched);
    REQUIRE_OK(seq);
    written[*seq] = {run, EntryKind::kBatch, payload, fetched};
  }
  void End(const std::string& run) {
    v1::RunEnd end = Describe(run);
    storage::v1::Cursor cursor;
    cursor.set_watermark(absl::StrCat(written.size() + 1));  // the seq of this record
    auto seq = spool_->EndRun(end, &cursor);
    REQUIRE_OK(seq);
    written[*seq] = {run, EntryKind::kRunEnd, end.SerializeAsString(), 0};
    ended_.insert(run);
  }
  void Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path() + "/" + name, std::ios::binary) << bytes;
  }

  // In memory where there is such a folder: nothing here tests the disk, and thousands of fsyncs take minutes.
  TempDir dir_{fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()};
  std::unique_ptr<Spool> spool_;
  std::set<std::string> ended_;
};

using Changes = std::map<std::string, std::optional<std::string>>;

class Vandal {
 public:
  Vandal(const Original& original, unsigned seed) : original_(original), random_(seed) {}

  Changes Damage() {
    if (Pick(20) == 0) return Swap();
    auto victim = std::next(original_.files.begin(), static_cast<int>(Pick(original_.files.size())));
    // Segments are what matters most.
    if (Pick(2) == 0) victim = original_.files.find(original_.segments[Pick(original_.segments.size())]);
    what = victim->first;
    std::string bytes = victim->second;
    switch (Pick(8)) {
      case 0:
        what += " deleted";
        return {{victim->first, std::nullopt}};
      case 1:
        bytes.resize(Pick(bytes.size()));
        what += absl::StrCat(" cut to ", bytes.size());
        break;
      case 2:
        bytes.resize(RecordBoundary(bytes));
        what += absl::StrCat(" cut between records to ", bytes.size());
        break;
      case 3: {
        size_t from = Pick(bytes.size()), length = 1 + Pick(600);
        bytes.replace(from, std::min(length, bytes.size() - from), std::min(length, bytes.size() - from), '\0');
        what += absl::StrCat(" zeroed from ", from, " for ", length);
        break;
      }
      default:
        for (size_t flips = 1 + Pick(2) * Pick(4); flips > 0; --flips) {
          size_t at = Pick(bytes.size());
          bytes[at] ^= static_cast<char>(1 << Pick(8));
          what += absl::StrCat(" flipped at ", at);
        }
    }
    return {{victim->first, bytes}};
  }

  std::string what;

 private:
  size_t Pick(size_t bound) { return random_() % bound; }
  Changes Swap() {
    const std::string& a = original_.segments[Pick(original_.segments.size())];
    const std::string& b = original_.segments[Pick(original_.segments.size())];
    what = absl::StrCat(a, " and ", b, " swapped");
    return {{a, original_.files.at(b)}, {b, original_.files.at(a)}};
  }
  size_t RecordBoundary(const std::string& bytes) {
    std::vector<size_t> ends{kSegmentHeaderBytes};
    while (ends.back() < bytes.size()) {
      auto record = DecodeRecord(absl::string_view(bytes).substr(ends.back()));
      if (!record) break;
      ends.push_back(ends.back() + RecordBytes(*record, record->payload.size()));
    }
    return std::min(bytes.size(), ends[Pick(ends.size())]);
  }

  const Original& original_;
  std::mt19937 random_;
};

class Verdict {
 public:
  Verdict(const Original& original, Spool& spool) : original_(original), spool_(spool) {
    for (const SpoolEntry& entry : ReadAll(spool, 1, 1 << 20)) read_[entry.seq] = entry;
    for (const auto& [seq, entry] : original.written) {
      if (seq > original.released && !read_.count(seq)) missing_.insert(seq);
    }
  }

  void CheckEntries() const {
    bool sound = true;
    for (const auto& [seq, entry] : read_) {
      auto written = original_.written.find(seq);
      sound = sound && written != original_.written.end() && written->second.payload == entry.payload &&
              written->second.kind == entry.kind;
    }
    CHECK(sound);
    std::set<int64_t> reported;
    for (const auto& [first, last] : spool_.recovery().lost) {
      for (int64_t seq = first; seq <= last; ++seq) reported.insert(seq);
    }
    CHECK(reported == missing_);
  }

  // What the next run would begin with must not lie behind rows that are lost.
  void CheckCursor() const {
    auto cursor = spool_.CursorOf("p");
    auto first_lost = missing_.upper_bound(original_.acked);
    if (!cursor || first_lost == missing_.end()) return;
    CHECK(std::stoll(cursor->watermark()) <= *first_lost);
  }

  // The drone ends what was cut off. Then every run of which anything is left has one end, which tells of the loss if
  // rows are missing and counts exactly the rows that arrive if none are.
  void CheckRuns() {
    std::map<std::string, int64_t> counted;
    for (const v1::RunEnd& run : spool_.OpenRuns()) {
      counted[run.run_id()] = run.fetched();
      REQUIRE_OK(spool_.EndRun(run));
    }
    for (const std::string run : {"gone", "first", "second", "open", "third"}) {
      INFO("run " << run);
      int64_t delivered = 0, lost = 0, fetched = 0;
      bool end = counted.count(run) > 0, trace = end;
      bool damaged = spool_.DamageOf(run).has_value();
      for (const auto& [seq, entry] : original_.written) {
        if (entry.run != run) continue;
        fetched += entry.fetched;
        bool there = seq <= original_.acked || read_.count(seq) > 0;
        (there ? delivered : lost) += entry.fetched;
        trace = trace || read_.count(seq) > 0;
        if (!there || entry.kind != EntryKind::kRunEnd) continue;
        // Of a range of which a part is acked nobody knows whether the end of the run was in that part.
        bool unsure = end && seq <= original_.acked && damaged && !read_.count(seq);
        CHECK((!end || unsure));
        end = true;
      }
      if (!trace) continue;  // the range was reported; the coordinator gives the run up as lost
      CHECK(end);
      if (lost > 0) CHECK(damaged);
      if (damaged) continue;
      CHECK((counted.count(run) > 0 ? counted[run] : fetched) == delivered);
    }
  }

 private:
  const Original& original_;
  Spool& spool_;
  std::map<int64_t, SpoolEntry> read_;
  std::set<int64_t> missing_;
};

TEST_CASE("whatever is damaged, nothing wrong is handed out and every loss is reported with its exact range") {
  const char* chaos = std::getenv("CHARTLY_CHAOS");
  const int trials = chaos != nullptr && std::string(chaos) == "full" ? 10'000 : 600;
  Original original;
  for (int trial = 0; trial < trials; ++trial) {
    Vandal vandal(original, static_cast<unsigned>(trial));
    Changes changes = vandal.Damage();
    INFO("trial " << trial << ": " << vandal.what);
    original.Restore(changes);
    auto spool = OpenSpool(original.path(), SmallSegments());
    Verdict verdict(original, *spool);
    verdict.CheckEntries();
    verdict.CheckCursor();
    verdict.CheckRuns();
    auto appended = spool->BeginRun(RunOf("new"));
    REQUIRE_OK(appended);
    REQUIRE_OK(spool->Append("new", "new", 1));
    CHECK(ReadAll(*spool).back().payload == "new");
    spool.reset();
    spool = OpenSpool(original.path(), SmallSegments());
    CHECK(ReadAll(*spool).back().payload == "new");
    CHECK(spool->recovery().torn_bytes == 0);
  }
}

}  // namespace
}  // namespace chartly::drone
