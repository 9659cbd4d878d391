#include "drone/fetch/file_source.h"

#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "drone/fetch/file_glob.h"
#include "test/support/packing.h"
#include "test/support/test.h"

namespace chartly::drone {
namespace {

using chartly::testing::Gzip;
using chartly::testing::TempDir;

// Written by CPython's zipfile: b.csv (three lines), folder/, folder/c.csv (stored), __MACOSX/b.csv, a.csv.
constexpr char kZip[] =
    "UEsDBBQAAAAIAAAAIVwbqYOcEAAAACUAAAAFAAAAYi5jc3bLTNHJ4zLWKckoSk3FSQMAUEsDBBQAAAAAAAAAIVwAAAAAAAAAAAAAAAAHAAAAZm9s"
    "ZGVyL1BLAwQUAAAAAAAAACFcLsdpDAwAAAAMAAAADAAAAGZvbGRlci9jLmNzdmlkLG4KNSxmaXZlClBLAwQUAAAACAAAACFcOZz7BgYAAAAEAAAA"
    "DgAAAF9fTUFDT1NYL2IuY3N2yyrNywYAUEsDBBQAAAAIAAAAIVylQIKPDQAAAAsAAAAFAAAAYS5jc3bLTNHJ4zLUyc9L5QIAUEsBAhQDFAAAAAgA"
    "AAAhXBupg5wQAAAAJQAAAAUAAAAAAAAAAAAAAIABAAAAAGIuY3N2UEsBAhQDFAAAAAAAAAAhXAAAAAAAAAAAAAAAAAcAAAAAAAAAAAAAAIABMwAA"
    "AGZvbGRlci9QSwECFAMUAAAAAAAAACFcLsdpDAwAAAAMAAAADAAAAAAAAAAAAAAAgAFYAAAAZm9sZGVyL2MuY3N2UEsBAhQDFAAAAAgAAAAhXDmc"
    "+wYGAAAABAAAAA4AAAAAAAAAAAAAAIABjgAAAF9fTUFDT1NYL2IuY3N2UEsBAhQDFAAAAAgAAAAhXKVAgo8NAAAACwAAAAUAAAAAAAAAAAAAAIAB"
    "wAAAAGEuY3N2UEsFBgAAAAAFAAUAEQEAAPAAAAAAAA==";
// The same for s.csv, written without seeking: sizes stand behind the content, and with 64 bits.
constexpr char kStreamedZip[] =
    "UEsDBC0ACAAIAAAAIVwAAAAA//////////"
    "8FABQAcy5jc3YBABAAAAAAAAAAAAAAAAAAAAAAAMtM0cnjMtcpTi1LzeMCAFBLBwhstVI7DwAAAAAAAAAN"
    "AAAAAAAAAFBLAQItAy0ACAAIAAAAIVxstVI7DwAAAA0AAAAFAAAAAAAAAAAAAACAAQAAAABzLmNzdlBLBQYAAAAAAQABADMAAABeAAAAAAA=";

std::string Unbase64(const char* text) {
  std::string bytes;
  REQUIRE(absl::Base64Unescape(text, &bytes));
  return bytes;
}

std::string Zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  size_t size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3);
  REQUIRE(ZSTD_isError(size) == 0U);
  out.resize(size);
  return out;
}

struct World {
  std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({}));
  FakeClock clock;
  TempDir dir;
  Profile profile;
  absl::Time deadline = absl::InfiniteFuture();

  World() { profile.source.type = SourceType::kFile; }
  void Write(const std::string& name, const std::string& content) {
    std::filesystem::create_directories(std::filesystem::path(dir.File(name)).parent_path());
    std::ofstream(dir.File(name), std::ios::binary) << content;
  }
  std::unique_ptr<Source> Open(const std::string& path) {
    profile.source.path = path;
    SourceDeps deps{*http, clock, dir.path()};
    deps.deadline = deadline;
    auto source = OpenSource(profile, deps);
    REQUIRE_OK(source);
    return *std::move(source);
  }
  // "uri=content;" of every page, and the reason of the error that ended them.
  static std::string ReadOn(Source& source) {
    std::string all;
    while (true) {
      auto page = source.Next(nullptr);
      if (!page.ok()) return all + Reason(page.status());
      if (!page->has_value()) return all;
      all += absl::StrCat((*page)->uri, "=");
      auto piece = (*page)->body->Read();
      for (; piece.ok() && !piece->empty(); piece = (*page)->body->Read()) all += std::string(*piece);
      if (!piece.ok()) return all + Reason(piece.status());
      all += ";";
    }
  }
  std::string Read(const std::string& path) { return ReadOn(*Open(path)); }
};

TEST_CASE("a pattern means names as a shell would have it") {
  auto means = [](const char* pattern, const char* name) { return MatchesName(pattern, name); };
  CHECK(means("*.csv", "a.csv"));
  CHECK(means("*.csv", "b.csv.csv"));
  CHECK(means("a*b*c", "axxbyybzc"));
  CHECK(means("?.csv", "a.csv"));
  CHECK(means("?.csv", "ü.csv"));
  CHECK(means("*", "any"));
  CHECK(means("x**", "x"));
  CHECK(means(".*", ".hidden"));
  CHECK(means("[a].csv", "[a].csv"));
  CHECK_FALSE(means("*.csv", "a.csv.gz"));
  CHECK_FALSE(means("*.csv", ".csv"));
  CHECK_FALSE(means("?.csv", "ab.csv"));
  CHECK_FALSE(means("?", ""));
  CHECK_FALSE(means("a*b*c", "axxbyyb"));
  CHECK_FALSE(means("[a].csv", "a.csv"));
  std::string many_stars;
  for (int i = 0; i < 50; ++i) many_stars += "*a";
  CHECK_FALSE(MatchesName(many_stars + "b", std::string(5000, 'a')));
}

TEST_CASE("every file that fits is a page, in order of name") {
  World world;
  for (const char* name : {"in/b.csv", "in/a.csv", "in/c.txt", "in/.d.csv", "in/sub/e.csv", "other/a.csv"}) {
    world.Write(name, name);
  }
  std::filesystem::create_directories(world.dir.File("in/folder.csv"));
  CHECK(world.Read("in/*.csv") == "file:in/a.csv=in/a.csv;file:in/b.csv=in/b.csv;");
  CHECK(world.Read(world.dir.File("in/*.csv")) == "file:in/a.csv=in/a.csv;file:in/b.csv=in/b.csv;");
  CHECK(world.Read("./x/../in/?.*") == "file:in/a.csv=in/a.csv;file:in/b.csv=in/b.csv;file:in/c.txt=in/c.txt;");
  CHECK(world.Read("*/a.csv") == "file:in/a.csv=in/a.csv;file:other/a.csv=other/a.csv;");
  CHECK(world.Read("*/*/e.csv") == "file:in/sub/e.csv=in/sub/e.csv;");
  CHECK(world.Read("*/sub/*") == "file:in/sub/e.csv=in/sub/e.csv;");
  CHECK(world.Read("in/*.json").empty());
  CHECK(world.Read("none/*.json") == "FILE_NOT_FOUND");
}

TEST_CASE("a link that leads out is no way around the source folder") {
  World world;
  TempDir outside;
  std::ofstream(outside.File("a.csv")) << "secret";
  world.Write("in/b.csv", "b");
  std::filesystem::create_symlink(outside.path(), world.dir.File("in/link"));
  CHECK(world.Read("in/link/*.csv") == "FILE_OUTSIDE_SOURCE_DIR");
  CHECK(world.Read("in/*/*.csv") == "FILE_OUTSIDE_SOURCE_DIR");
  CHECK(world.Read("in/*/a.csv") == "FILE_OUTSIDE_SOURCE_DIR");
  std::filesystem::create_symlink(outside.File("a.csv"), world.dir.File("in/c.csv"));
  CHECK(world.Read("in/*.csv") == "file:in/b.csv=b;FILE_OUTSIDE_SOURCE_DIR");
}

TEST_CASE("names in another charset than UTF-8 are shown as well as can be") {
  World world;
  world.Write("in/caf\xe9.csv", "1");
  CHECK(world.Read("in/*.csv") == "file:in/caf\uFFFD.csv=1;");
  world.Write("in/caf\xe9.csv.gz", "1");
  CHECK(world.Read("in/*.gz") == "file:in/caf\uFFFD.csv.gz=SOURCE_TRUNCATED");
}

TEST_CASE("limits count over all files, to the byte") {
  World world;
  for (const char* name : {"a", "b", "c"}) world.Write(name, "12345");
  world.profile.limits.max_bytes = 7;
  auto source = world.Open("*");
  CHECK(World::ReadOn(*source) == "file:a=12345;file:b=12SOURCE_TOO_LARGE");
  CHECK(source->truncated_by() == "limits.max_bytes");
  CHECK(World::ReadOn(*source).empty());
  world.profile.limits.max_bytes = 4;
  auto first = world.Open("a");
  CHECK(World::ReadOn(*first) == "file:a=1234SOURCE_TOO_LARGE");
  CHECK(first->truncated_by().empty());
  world.profile.limits.max_bytes = 15;
  auto fitting = world.Open("*");
  CHECK(World::ReadOn(*fitting) == "file:a=12345;file:b=12345;file:c=12345;");
  CHECK(fitting->truncated_by().empty());
  world.profile.limits.max_pages = 2;
  auto by_pages = world.Open("*");
  CHECK(World::ReadOn(*by_pages) == "file:a=12345;file:b=12345;");
  CHECK(by_pages->truncated_by() == "limits.max_pages");
}

TEST_CASE("a run past its time, or cancelled, ends between files and within one") {
  World world;
  for (const char* name : {"a", "b"}) world.Write(name, "12345");
  world.deadline = world.clock.Now() + absl::Seconds(10);
  auto between = world.Open("*");
  REQUIRE_OK(between->Next(nullptr));
  auto within = world.Open("*");
  auto page = within->Next(nullptr);
  REQUIRE_OK(page);
  world.clock.Advance(absl::Seconds(10));
  CHECK(World::ReadOn(*between).empty());
  CHECK(between->truncated_by() == "limits.run_timeout");
  CHECK(Reason((*page)->body->Read().status()) == "RUN_TIMEOUT");
  CHECK(within->truncated_by() == "limits.run_timeout");
  world.deadline = absl::InfiniteFuture();
  auto cancelled = world.Open("*");
  auto given_up = cancelled->Next(nullptr);
  REQUIRE_OK(given_up);
  cancelled->Cancel();
  CHECK(Reason((*given_up)->body->Read().status()) == "CANCELLED");
}

TEST_CASE("packed files are unpacked, whole or not at all") {
  World world;
  std::string text;
  for (int i = 0; i < 100'000; ++i) absl::StrAppend(&text, i, ",", i * 7 % 1000, "\n");
  world.Write("a.csv.gz", Gzip(text));
  world.Write("b.csv.zst", Zstd(text));
  CHECK(world.Read("*") == absl::StrCat("file:a.csv.gz=", text, ";file:b.csv.zst=", text, ";"));
  world.Write("members.GZ", Gzip("one\n") + Gzip("two\n"));
  CHECK(world.Read("members.GZ") == "file:members.GZ=one\ntwo\n;");
  for (const std::string& packed : {Gzip("one\ntwo\n"), Zstd("one\ntwo\n")}) {
    const std::string name = packed[0] == '\x1f' ? "cut.gz" : "cut.zst";
    for (size_t size = 0; size < packed.size(); ++size) {
      INFO(name << " cut after " << size);
      world.Write(name, packed.substr(0, size));
      CHECK(absl::EndsWith(world.Read(name), "SOURCE_TRUNCATED"));
    }
  }
  world.Write("bomb.gz", Gzip(std::string(20 << 20, ' ')));
  auto bomb = world.Open("bomb.gz");
  auto page = bomb->Next(nullptr);
  REQUIRE_OK(page);
  absl::Status status = ReadAll(*(*page)->body, 64 << 20).status();
  CHECK(Reason(status) == "SOURCE_TOO_LARGE");
  CHECK(absl::StrContains(status.message(), "bomb.gz: this is a compression bomb"));
}

TEST_CASE("members of an archive are pages, all of them or those the path names") {
  World world;
  world.Write("in/x.zip", Unbase64(kZip));
  world.Write("in/y.zip", Unbase64(kStreamedZip));
  const std::string a = "file:in/x.zip/a.csv=id,n\n1,one\n;";
  const std::string b = "file:in/x.zip/b.csv=id,n\n3,three\n3,three\n3,three\n3,three\n;";
  const std::string c = "file:in/x.zip/folder/c.csv=id,n\n5,five\n;";
  const std::string s = "file:in/y.zip/s.csv=id,n\n7,seven\n;";
  CHECK(world.Read("in/x.zip") == a + b + c);
  CHECK(world.Read("in/*.zip") == a + b + c + s);
  CHECK(world.Read("in/x.zip/*.csv") == a + b);
  CHECK(world.Read("in/x.zip/*/*.csv") == absl::StrCat("file:in/x.zip/__MACOSX/b.csv=junk;", c));
  CHECK(world.Read("in/x.zip/folder/c.csv") == c);
  CHECK(world.Read("in/*.zip/s.*") == s);
  CHECK(world.Read("in/x.zip/none.csv") == "FILE_NOT_FOUND");
  CHECK(world.Read("in/x.zip/*.json").empty());
}

// The archive with other bytes where `from` stands, everywhere.
std::string Changed(std::string zip, const std::string& from, const std::string& to) {
  REQUIRE(from.size() == to.size());
  REQUIRE(zip.find(from) != zip.npos);
  for (size_t at = zip.find(from); at != zip.npos; at = zip.find(from, at)) zip.replace(at, to.size(), to);
  return zip;
}

TEST_CASE("archives that could be used against the reader are refused") {
  World world;
  const std::string zip = Unbase64(kZip);
  auto read = [&](const std::string& content) {
    world.Write("x.zip", content);
    return world.Read("x.zip");
  };
  CHECK(read(Changed(zip, "folder/c.csv", "../../../etc")) == "ARCHIVE_UNSUPPORTED");
  CHECK(read(Changed(zip, "folder/c.csv", "/etc/passwd1")) == "ARCHIVE_UNSUPPORTED");
  CHECK(read(Changed(zip, "folder/c.csv", "..\\..\\passwd")) == "ARCHIVE_UNSUPPORTED");
  CHECK(read(Changed(zip, "a.csv", "a.zip")) == "ARCHIVE_UNSUPPORTED");
  CHECK(read(Changed(zip, "a.csv", "a..gz")) == "ARCHIVE_UNSUPPORTED");
  const std::string version("\x14\x03\x14\x00", 4);  // of an entry of the directory; flags and method follow
  CHECK(read(Changed(zip, version + std::string("\0\0\x08\0", 4), version + std::string("\1\0\x08\0", 4))) ==
        "ARCHIVE_UNSUPPORTED");
  CHECK(read(Changed(zip, version + std::string("\0\0\x08\0", 4), version + std::string("\0\0\x09\0", 4))) ==
        "ARCHIVE_UNSUPPORTED");
  const std::string counts("\5\0\5\0", 4);
  CHECK(read(Changed(zip, counts, std::string("\xe9\3\xe9\3", 4))) == "ARCHIVE_UNSUPPORTED");  // 1001
  CHECK(read(Changed(zip, counts, std::string("\1\0\5\0", 4))) == "ARCHIVE_UNSUPPORTED");
  CHECK(read(Changed(zip, counts, std::string("\4\0\4\0", 4))) == "SOURCE_TRUNCATED");
  CHECK(read(Changed(zip, "id,n\n5,five\n", "id,n\n5,nine\n")).find("n\n5,nine\nSOURCE_TRUNCATED") !=
        std::string::npos);
  const std::string link = Changed(zip, std::string("\x80\1\xc0\0\0\0", 6), std::string("\xff\xa1\xc0\0\0\0", 6));
  CHECK(read(link).find("a.csv") == std::string::npos);
}

TEST_CASE("a damaged archive gives what is whole of it, or says that it is damaged") {
  World world;
  std::mt19937 random(7);
  for (const char* packed : {kZip, kStreamedZip}) {
    const std::string zip = Unbase64(packed);
    world.Write("x.zip", zip);
    const std::string whole = world.Read("x.zip");
    for (size_t size = 0; size < zip.size(); ++size) {
      world.Write("x.zip", zip.substr(0, size));
      CHECK(world.Read("x.zip") == "SOURCE_TRUNCATED");
    }
    for (int i = 0; i < 3000; ++i) {
      std::string damaged = zip;
      for (unsigned flips = 1 + random() % 3; flips > 0; --flips) {
        damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
      }
      world.Write("x.zip", damaged);
      std::string read = world.Read("x.zip");
      // Names may be damaged unseen, contents may not.
      for (const char* text : {"1,on", "3,thre", "5,fiv", "7,seve"}) {
        size_t at = read.find(text);
        bool kept = at == read.npos || whole.find(read.substr(at, std::string(text).size() + 1)) != whole.npos;
        CHECK((kept || absl::EndsWith(read, "SOURCE_TRUNCATED")));
      }
    }
  }
}

}  // namespace
}  // namespace chartly::drone
