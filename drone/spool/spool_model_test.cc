// The spool against a model: a list of entries and a table of runs, under random operations with re-opening.
#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "drone/spool/spool_fixture_test.h"

namespace chartly::drone {
namespace {

using testing::TempDir;

struct Model {
  std::map<int64_t, std::string> entries;
  std::map<std::string, int64_t> open_runs;  // fetched
  int64_t released = 0;
  int64_t acked = 0;
  int next_run = 0;
};

class ModelTest {
 public:
  explicit ModelTest(unsigned seed) : random_(seed) {
    options_ = SmallSegments();
    options_.max_bytes = 60'000;
    spool_ = OpenSpool(dir_.path(), options_);
  }

  void Step() {
    switch (Pick(10)) {
      case 0:
        return Begin();
      case 1:
        return End();
      case 2:
        return Release();
      case 3:
        return Ack();
      case 4:
        return Reopen();
      default:
        return Append();
    }
  }

  void Check() {
    std::map<int64_t, std::string> held;
    for (const SpoolEntry& entry : ReadAll(*spool_, model_.released + 1, 1 + Pick(5000))) {
      held[entry.seq] = entry.payload;
    }
    std::map<int64_t, std::string> expected(model_.entries.upper_bound(model_.released), model_.entries.end());
    CHECK(held == expected);
    std::map<std::string, int64_t> open;
    for (const v1::RunEnd& run : spool_->OpenRuns()) open[run.run_id()] = run.fetched();
    CHECK(open == model_.open_runs);
    CHECK(spool_->acked_seq() == model_.acked);
    CHECK(spool_->bytes() <= options_.max_bytes + Spool::kRunEndReserveBytes);
    CHECK(spool_->recovery().lost.empty());
  }

 private:
  unsigned Pick(unsigned bound) { return random_() % bound; }
  std::string PickRun() { return std::next(model_.open_runs.begin(), Pick(model_.open_runs.size()))->first; }

  void Begin() {
    std::string run = absl::StrCat("run-", model_.next_run++);
    REQUIRE_OK(spool_->BeginRun(RunOf(run)));
    model_.open_runs[run] = 0;
  }
  void Append() {
    if (model_.open_runs.empty()) return Begin();
    std::string run = PickRun();
    std::string payload(Pick(20) == 0 ? 0 : Pick(3000), static_cast<char>('a' + Pick(26)));
    int64_t before = spool_->bytes();
    auto seq = spool_->Append(run, payload, Pick(100));
    if (!seq.ok()) {
      CHECK(Reason(seq.status()) == "SPOOL_FULL");
      CHECK(before + static_cast<int64_t>(payload.size()) + 200 > options_.max_bytes);
      return;
    }
    CHECK(*seq == Next());
    model_.entries[*seq] = payload;
    for (const v1::RunEnd& open : spool_->OpenRuns()) {
      if (open.run_id() == run) model_.open_runs[run] = open.fetched();
    }
  }
  void End() {
    if (model_.open_runs.empty()) return;
    v1::RunEnd end = RunOf(PickRun());
    auto seq = spool_->EndRun(end);
    REQUIRE_OK(seq);
    CHECK(*seq == Next());
    model_.entries[*seq] = end.SerializeAsString();
    model_.open_runs.erase(end.run_id());
  }
  void Release() {
    int64_t last = Next() - 1;
    int64_t seq = model_.released + Pick(static_cast<unsigned>(last - model_.released) + 1);
    REQUIRE_OK(spool_->Release(seq));
    model_.released = std::max(model_.released, seq);
    model_.acked = std::max(model_.acked, seq);
  }
  void Ack() {
    int64_t seq = Pick(static_cast<unsigned>(Next()));
    REQUIRE_OK(spool_->Ack(seq));
    model_.acked = std::max(model_.acked, seq);
  }
  void Reopen() {
    spool_.reset();
    spool_ = OpenSpool(dir_.path(), options_);
  }
  int64_t Next() const { return model_.entries.empty() ? 1 : model_.entries.rbegin()->first + 1; }

  std::mt19937 random_;
  TempDir dir_;
  SpoolOptions options_;
  std::unique_ptr<Spool> spool_;
  Model model_;
};

TEST_CASE("the spool does what a list of entries does, whatever the order of operations and re-openings") {
  unsigned seed = GENERATE(range(1u, 8u));
  INFO("seed " << seed);
  ModelTest test(seed);
  for (int step = 0; step < 120; ++step) {
    test.Step();
    test.Check();
  }
}

}  // namespace
}  // namespace chartly::drone
