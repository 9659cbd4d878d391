#include "drone/capture/capture_store.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock/proto_time.h"
#include "common/status/status.h"
#include "common/text/sha256.h"
#include "test/support/killed_writer.h"
#include "test/support/temp_dir.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

namespace fs = std::filesystem;
using testing::TempDir;

// Bytes that do not pack, the same for the same number.
std::string Payload(int number, size_t bytes = 4000) {
  std::mt19937_64 random(static_cast<uint64_t>(number));
  std::string text(bytes, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

struct World {
  TempDir dir;
  FakeClock clock;
  CaptureStoreOptions options;
  CaptureConfig bounds;
  std::unique_ptr<CaptureStore> store;

  World() {
    options.folder = dir.File("captures");
    options.min_free_bytes = 0;
    Open();
  }
  void Open() {
    store.reset();
    auto opened = CaptureStore::Open(options, clock);
    REQUIRE_OK(opened);
    store = *std::move(opened);
  }
  CaptureStore::Fetch FetchOf(const std::string& payload) const {
    CaptureStore::Fetch fetch;
    fetch.set_fetched_us(absl::ToUnixMicros(clock.Now()));
    fetch.set_run_id("r1");
    fetch.set_page(1);
    fetch.set_source_uri("https://example.test/data");
    fetch.set_content_type("application/json; charset=utf-8");
    fetch.set_sha256(Sha256Hex(payload));
    fetch.set_bytes(static_cast<int64_t>(payload.size()));
    return fetch;
  }
  // A second later than the one before.
  bool Keep(const std::string& payload, const std::string& profile = "p") {
    clock.Advance(absl::Seconds(1));
    return store->Keep(profile, bounds, FetchOf(payload), payload);
  }
  std::vector<CaptureStore::Fetch> Fetches(const std::string& profile = "p",
                                           absl::Time since = absl::InfinitePast()) const {
    auto fetches = store->Fetches(profile, since);
    REQUIRE_OK(fetches);
    return *fetches;
  }
  absl::StatusOr<std::string> Read(const CaptureStore::Fetch& fetch, const std::string& profile = "p") const {
    ASSIGN_OR_RETURN(std::unique_ptr<Body> body, store->OpenPayload(profile, fetch));
    return ReadAll(*body, size_t{1} << 30);
  }
  std::string PathOf(const CaptureStore::Fetch& fetch) const {
    return absl::StrCat(options.folder, "/p/", fetch.sha256(), ".zst");
  }
  std::string IndexPath() const { return options.folder + "/p/index"; }
  // Bytes of all files below the folder, and how many payloads there are.
  std::pair<int64_t, int> OnDisk() const {
    int64_t bytes = 0;
    int payloads = 0;
    for (const auto& entry : fs::recursive_directory_iterator(options.folder)) {
      if (!entry.is_regular_file()) continue;
      bytes += static_cast<int64_t>(entry.file_size());
      payloads += entry.path().extension() == ".zst" ? 1 : 0;
    }
    return {bytes, payloads};
  }
  v1::CaptureReport Report(bool complete) const {
    v1::CaptureReport report;
    if (!store->Report(complete, report)) report.Clear();
    return report;
  }
};

TEST_CASE("what is kept is given back as it was fetched, in the order of fetching, also after a restart") {
  World world;
  REQUIRE(world.Keep(Payload(1)));
  REQUIRE(world.Keep(Payload(2)));
  const absl::Time later = world.clock.Now();
  if (GENERATE(false, true)) world.Open();
  const std::vector<CaptureStore::Fetch> fetches = world.Fetches();
  REQUIRE(fetches.size() == 2);
  CHECK(*world.Read(fetches[0]) == Payload(1));
  CHECK(*world.Read(fetches[1]) == Payload(2));
  CHECK(fetches[0].content_type() == "application/json; charset=utf-8");
  CHECK(fetches[0].source_uri() == "https://example.test/data");
  REQUIRE(world.Fetches("p", later).size() == 1);
  CHECK(world.Fetches("p", later)[0].sha256() == fetches[1].sha256());
  CHECK(world.Fetches("other").empty());
}

TEST_CASE("a payload that is fetched again lies there once, and goes with its last fetch") {
  World world;
  world.bounds.max_age = absl::Hours(1);
  REQUIRE(world.Keep(Payload(1)));
  world.clock.Advance(absl::Minutes(30));
  for (int i = 0; i < 3; ++i) REQUIRE(world.Keep(Payload(1)));
  CHECK(world.OnDisk().second == 1);
  CHECK(world.Fetches().size() == 4);
  world.clock.Advance(absl::Minutes(40));
  world.store->Tidy();
  CHECK(world.Fetches().size() == 3);
  CHECK(*world.Read(world.Fetches()[0]) == Payload(1));
  world.clock.Advance(absl::Hours(1));
  world.store->Tidy();
  CHECK(world.Fetches().empty());
  CHECK(world.OnDisk() == std::pair<int64_t, int>(0, 0));
}

TEST_CASE("what was fetched longest ago goes first, past the bound of the profile and past that of all") {
  World world;
  SECTION("of the profile") { world.bounds.max_bytes = 64 << 10; }
  SECTION("of all") {
    world.options.max_bytes = 64 << 10;
    world.Open();
  }
  for (int i = 0; i < 100; ++i) {
    REQUIRE(world.Keep(Payload(i)));
    REQUIRE(world.OnDisk().first <= 64 << 10);
  }
  const std::vector<CaptureStore::Fetch> fetches = world.Fetches();
  REQUIRE(fetches.size() >= 10);
  for (size_t i = 0; i < fetches.size(); ++i) {
    CHECK(*world.Read(fetches[i]) == Payload(100 - static_cast<int>(fetches.size()) + static_cast<int>(i)));
  }
  const v1::CaptureReport report = world.Report(true);
  REQUIRE(report.captures_size() == 1);
  CHECK(report.captures(0).bytes() == world.OnDisk().first);
  CHECK(report.captures(0).fetches() == static_cast<int64_t>(fetches.size()));
  CHECK(absl::ToUnixMicros(FromTimestamp(report.captures(0).oldest_fetch_time())) == fetches[0].fetched_us());
}

TEST_CASE("the oldest of all profiles goes first, and no more than it takes") {
  World world;
  world.options.max_bytes = 48 << 10;
  world.Open();
  for (int i = 0; i < 3; ++i) REQUIRE(world.Keep(Payload(i), "old"));
  for (int i = 10; i < 16; ++i) REQUIRE(world.Keep(Payload(i, 6000), "p"));
  CHECK(world.Fetches("old").size() == 1);
  CHECK(world.Fetches("p").size() == 6);
  for (int i = 20; i < 30; ++i) REQUIRE(world.Keep(Payload(i, 6000), "p"));
  CHECK(world.Fetches("old").empty());
  CHECK_FALSE(fs::exists(world.options.folder + "/old"));
}

TEST_CASE("a payload that does not fit is not kept and costs the others nothing") {
  World world;
  world.bounds.max_bytes = 64 << 10;
  REQUIRE(world.Keep(Payload(1)));
  CHECK_FALSE(world.Keep(Payload(2, 400 << 10)));
  REQUIRE(world.Fetches().size() == 1);
  CHECK(*world.Read(world.Fetches()[0]) == Payload(1));
  CHECK(world.OnDisk().second == 1);
  // A host whose owner gives no room keeps nothing, and lets go of what is there.
  world.options.max_bytes = 0;
  world.Open();
  CHECK(world.Fetches().empty());
  CHECK_FALSE(world.Keep(Payload(1)));
  CHECK(world.OnDisk() == std::pair<int64_t, int>(0, 0));
}

TEST_CASE("a disk without room for others has none for payloads") {
  World world;
  REQUIRE(world.Keep(Payload(1)));
  world.options.min_free_bytes = int64_t{1} << 60;
  world.Open();
  CHECK(world.Fetches().empty());
  CHECK_FALSE(world.Keep(Payload(2)));
}

TEST_CASE("a payload in pieces is kept once it is whole, and leaves nothing behind if it is not") {
  World world;
  const std::string payload = Payload(1, 3 << 20);
  {
    auto cut_off = world.store->Begin("p", world.bounds, world.FetchOf(payload));
    cut_off->Add(absl::string_view(payload).substr(0, 1 << 20));
  }
  CHECK(world.OnDisk().second == 0);
  auto whole = world.store->Begin("p", world.bounds, world.FetchOf(payload));
  for (size_t at = 0; at < payload.size(); at += 100'000) {
    whole->Add(absl::string_view(payload).substr(at, 100'000));
  }
  REQUIRE(whole->Keep(Sha256Hex(payload), static_cast<int64_t>(payload.size())));
  REQUIRE(world.Fetches().size() == 1);
  CHECK(*world.Read(world.Fetches()[0]) == payload);
}

TEST_CASE("a payload that packs to next to nothing is given back whole") {
  World world;
  const std::string payload(20 << 20, ' ');
  REQUIRE(world.Keep(payload));
  CHECK(world.OnDisk().first < 64 << 10);
  CHECK(world.Read(world.Fetches()[0])->size() == payload.size());
}

TEST_CASE("a profile that wants none kept has none kept") {
  World world;
  REQUIRE(world.Keep(Payload(1)));
  REQUIRE(world.Keep(Payload(2), "other"));
  world.store->Forget("p");
  CHECK(world.Fetches().empty());
  CHECK(world.Fetches("other").size() == 1);
  CHECK_FALSE(fs::exists(world.options.folder + "/p"));
  REQUIRE(world.Keep(Payload(3)));
  CHECK(world.Fetches().size() == 1);
}

TEST_CASE("each damaged or missing payload is told before a byte of it is given, and the others are sound") {
  World world;
  for (int i = 0; i < 3; ++i) REQUIRE(world.Keep(Payload(i)));
  const std::vector<CaptureStore::Fetch> fetches = world.Fetches();
  const std::string path = world.PathOf(fetches[1]);
  std::string bytes;
  {
    std::ifstream file(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  const std::string how = GENERATE(as<std::string>{}, "flipped", "cut", "empty", "swapped", "missing");
  if (how == "flipped") bytes[bytes.size() / 2] ^= 4;
  if (how == "cut") bytes.resize(bytes.size() / 2);
  if (how == "empty") bytes.clear();
  if (how == "missing") fs::remove(path);
  if (how == "swapped") fs::copy_file(world.PathOf(fetches[0]), path, fs::copy_options::overwrite_existing);
  if (how != "missing" && how != "swapped") std::ofstream(path, std::ios::binary) << bytes;
  if (GENERATE(false, true)) world.Open();
  absl::Status read = world.Read(fetches[1]).status();
  CHECK(Reason(read) == "CAPTURE_DAMAGED");
  CHECK(absl::StrContains(read.message(), fetches[1].sha256()));
  CHECK(*world.Read(fetches[0]) == Payload(0));
  CHECK(*world.Read(fetches[2]) == Payload(2));
  // The same payload is whole again once it is fetched again.
  REQUIRE(world.Keep(Payload(1)));
  CHECK(*world.Read(world.Fetches().back()) == Payload(1));
}

TEST_CASE("what was let go of while it was to be read is told as that") {
  World world;
  REQUIRE(world.Keep(Payload(1)));
  const CaptureStore::Fetch fetch = world.Fetches()[0];
  world.clock.Advance(absl::Hours(24 * 30));
  world.store->Tidy();
  CHECK(Reason(world.Read(fetch).status()) == "CAPTURE_REMOVED");
}

TEST_CASE("a damaged line of the index costs its own fetch, and a torn end none that was kept") {
  World world;
  for (int i = 0; i < 3; ++i) REQUIRE(world.Keep(Payload(i)));
  std::string text;
  {
    std::ifstream file(world.IndexPath(), std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  size_t left = 3;
  SECTION("a line") {
    const size_t line = text.find('\n', text.find('\n') + 1) + 40;  // of the second fetch
    text[line] = text[line] == 'x' ? 'y' : 'x';
    left = 2;
  }
  SECTION("a torn end") { text += "0123456789abcdef half a li"; }
  std::ofstream(world.IndexPath(), std::ios::binary) << text;
  world.Open();
  REQUIRE(world.Fetches().size() == left);
  CHECK(world.OnDisk().second == static_cast<int>(left));
  CHECK(*world.Read(world.Fetches()[0]) == Payload(0));
  CHECK(*world.Read(world.Fetches().back()) == Payload(2));
  REQUIRE(world.Keep(Payload(3)));
  world.Open();
  CHECK(world.Fetches().size() == left + 1);
}

TEST_CASE("a crash between payload and index leaves neither a name without a payload nor bytes that nobody counts") {
  World world;
  REQUIRE(world.Keep(Payload(1)));
  // As after a crash: a payload without a line, and one that was being written.
  fs::copy_file(world.PathOf(world.Fetches()[0]), world.options.folder + "/p/" + Sha256Hex("other") + ".zst");
  std::ofstream(world.options.folder + "/p/7.tmp") << "half";
  world.Open();
  CHECK(world.Fetches().size() == 1);
  CHECK(world.OnDisk().second == 1);
  CHECK_FALSE(fs::exists(world.options.folder + "/p/7.tmp"));
  CHECK(world.Report(true).captures(0).bytes() == world.OnDisk().first);
}

// For the test below, which runs it in a process of its own and kills it.
TEST_CASE("keep payloads until killed", "[.writer]") {
  if (testing::WriterPath() == nullptr) return;
  SystemClock clock;
  auto store = CaptureStore::Open({.folder = testing::WriterPath(), .min_free_bytes = 0}, clock);
  REQUIRE_OK(store);
  const int64_t begin = static_cast<int64_t>((*store)->Fetches("p", absl::InfinitePast())->size()) + 1'000'000;
  CaptureConfig bounds;
  bounds.max_bytes = 1 << 20;
  for (int64_t number = begin;; ++number) {
    const std::string payload = Payload(static_cast<int>(number), 20'000);
    CaptureStore::Fetch fetch;
    fetch.set_fetched_us(absl::ToUnixMicros(clock.Now()));
    fetch.set_page(static_cast<uint32_t>(number));
    fetch.set_sha256(Sha256Hex(payload));
    fetch.set_bytes(static_cast<int64_t>(payload.size()));
    if (!(*store)->Keep("p", bounds, fetch, payload) || !testing::TellStored(number)) return;
  }
}

TEST_CASE("a drone that is killed at any moment finds every payload that it said was kept") {
  World world;
  for (unsigned round = 1; round <= 4; ++round) {
    const int64_t last = testing::RunAndKill("[.writer]", world.options.folder, 20 * round, 0);
    REQUIRE(last > 0);
    world.Open();
    const std::vector<CaptureStore::Fetch> fetches = world.Fetches();
    bool found = false;
    for (const CaptureStore::Fetch& fetch : fetches) {
      found = found || fetch.page() == static_cast<uint32_t>(last);
      absl::StatusOr<std::string> read = world.Read(fetch);
      REQUIRE_OK(read);
      REQUIRE(Sha256Hex(*read) == fetch.sha256());
    }
    CHECK(found);
    CHECK(world.Report(true).captures(0).bytes() == world.OnDisk().first);
    CHECK(world.OnDisk().first <= 1 << 20);
    world.store.reset();
  }
}

TEST_CASE("a report tells all at first, then what changed") {
  World world;
  REQUIRE(world.Keep(Payload(1), "a"));
  REQUIRE(world.Keep(Payload(2), "b"));
  CHECK(world.Report(true).captures_size() == 2);
  CHECK(world.Report(false).captures_size() == 0);
  REQUIRE(world.Keep(Payload(3), "b"));
  const v1::CaptureReport changed = world.Report(false);
  REQUIRE(changed.captures_size() == 1);
  CHECK(changed.captures(0).profile_id() == "b");
  CHECK(changed.captures(0).fetches() == 2);
  CHECK_FALSE(changed.complete());
  world.store->Forget("b");
  const v1::CaptureReport gone = world.Report(false);
  REQUIRE(gone.captures_size() == 1);
  CHECK(gone.captures(0).profile_id() == "b");
  CHECK(gone.captures(0).fetches() == 0);
  CHECK(world.Report(true).captures_size() == 1);
}

}  // namespace
}  // namespace chartly::drone
