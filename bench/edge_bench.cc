// What one core of an edge host does with a source: fetch (a file), decode, normalize, batch, and spool with fsync, for
// JSON lines and CSV of nine fields with eight mapped, and for XML as SDMX writes it. Beside it, over the same bytes in
// the same rounds: the limit (the parser alone, and with it what no run can leave out: the SHA-256 of the payload that
// each record can be traced to) and jq and DuckDB where they are installed.
#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/bench_report.h"
#include "common/batch/batch.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/normalize/normalizer.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"
#include "common/text/sha256.h"
#include "drone/decode/decoder.h"
#include "drone/decode/xml_parser.h"
#include "drone/pipeline/pipeline.h"
#include "drone/spool/spool.h"

namespace chartly::bench {
namespace {

constexpr size_t kPieceBytes = size_t{256} << 10;
constexpr size_t kSpoolBytes = size_t{2} << 30;

class Pieces final : public drone::Body {
 public:
  explicit Pieces(absl::string_view text) : rest_(text) {}
  absl::StatusOr<absl::string_view> Read() override {
    absl::string_view piece = rest_.substr(0, kPieceBytes);
    rest_.remove_prefix(piece.size());
    return piece;
  }

 private:
  absl::string_view rest_;
};

class Touch final : public drone::RowSink {
 public:
  explicit Touch(size_t slots) : slots_(slots) {}
  absl::Status OnRow(const Row& row, uint32_t) override {
    for (size_t slot = 0; slot < slots_; ++slot) bytes += row.Get(slot).text.size();
    return absl::OkStatus();
  }
  absl::Status OnBadRow(absl::string_view, absl::string_view message, absl::string_view, uint32_t) override {
    return absl::InternalError(message);
  }
  size_t bytes = 0;

 private:
  size_t slots_;
};

// Takes every event and keeps nothing.
class Ignore final : public drone::XmlHandler {
 public:
  absl::Status OnStart(const drone::XmlName&, drone::XmlAttributes) override { return absl::OkStatus(); }
  absl::Status OnEnd() override { return absl::OkStatus(); }
  absl::Status OnText(absl::string_view) override { return absl::OkStatus(); }
};

class Nowhere final : public drone::BatchSink {
 public:
  absl::Status Append(std::string, int64_t, const drone::Cursor*) override { return absl::OkStatus(); }
};

class ToSpool final : public drone::BatchSink {
 public:
  ToSpool(drone::Spool& spool, const std::string& run) : spool_(spool), run_(run) {}
  absl::Status Append(std::string batch, int64_t fetched, const drone::Cursor* cursor) override {
    return spool_.Append(run_, batch, fetched, 0, cursor).status();
  }

 private:
  drone::Spool& spool_;
  const std::string& run_;
};

// Repeats itself as the readings of stations do.
class Readings {
 public:
  struct Reading {
    uint64_t id, station, minute;
    double latitude, longitude, value;
    const char* quality;
  };
  Reading Next() {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    uint64_t r = random_ >> 33, station = count_ % 1000;
    return {count_++,
            station,
            count_ / 1000 % 1440,
            static_cast<double>(station * 7919 % 18000) / 100 - 90,
            static_cast<double>(station * 104729 % 36000) / 100 - 180,
            static_cast<double>(r % 600) / 10,
            r % 50 == 0 ? "estimated" : "good"};
  }

 private:
  uint64_t random_ = 1, count_ = 0;
};

std::string MakeNdjson(size_t bytes) {
  std::string text;
  for (Readings readings; text.size() < bytes;) {
    Readings::Reading r = readings.Next();
    absl::StrAppendFormat(
        &text,
        "{\"id\":\"r%09d\",\"station\":\"ST%04d\",\"region\":\"north-%d\",\"time\":\"2024-03-%02dT%02d:%02d:00Z\","
        "\"value\":%.1f,\"count\":%d,\"quality\":\"%s\",\"location\":{\"lat\":%.2f,\"lon\":%.2f}}\n",
        r.id, r.station, r.station % 12, 1 + r.id / 1440000 % 28, r.minute / 60, r.minute % 60, r.value, r.station % 9,
        r.quality, r.latitude, r.longitude);
  }
  return text;
}

std::string MakeCsv(size_t bytes) {
  std::string text = "id,station,region,time,value,count,quality,lat,lon\n";
  for (Readings readings; text.size() < bytes;) {
    Readings::Reading r = readings.Next();
    absl::StrAppendFormat(&text, "r%09d,ST%04d,\"north, %d\",2024-03-%02dT%02d:%02d:00Z,%.1f,%d,%s,%.2f,%.2f\n", r.id,
                          r.station, r.station % 12, 1 + r.id / 1440000 % 28, r.minute / 60, r.minute % 60, r.value,
                          r.station % 9, r.quality, r.latitude, r.longitude);
  }
  return text;
}

std::string MakeXml(size_t bytes) {
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?><m:GenericData xmlns:m=\"http://www.example.org/sdmx/v2_1/message\" "
      "xmlns:g=\"http://www.example.org/sdmx/v2_1/data/generic\"><m:DataSet>\n";
  for (Readings readings; text.size() < bytes;) {
    Readings::Reading r = readings.Next();
    if (r.id % 200 == 0) {
      absl::StrAppend(&text, r.id == 0 ? "" : "</g:Series>\n",
                      "<g:Series><g:SeriesKey><g:Value id=\"FREQ\" value=\"M\"/><g:Value id=\"CURRENCY\" value=\"C",
                      r.id, "\"/></g:SeriesKey>\n");
    }
    absl::StrAppendFormat(&text,
                          "<g:Obs>\n<g:ObsDimension value=\"%d-%02d\"/>\n<g:ObsValue value=\"%.6f\"/>\n<g:Attributes>\n"
                          "<g:Value id=\"OBS_STATUS\" value=\"A\"/>\n</g:Attributes>\n</g:Obs>\n",
                          1900 + r.id % 120, 1 + r.id % 12, r.value);
  }
  return text + "</g:Series></m:DataSet></m:GenericData>";
}

constexpr char kRecords[] =
    "id: readings\nname: Readings\nversion: 1.0.0\n"
    "source: {type: file, path: %s, format: %s}\n"
    "limits: {max_bytes: 8GiB, max_records: 100000000}\n"
    "mapping:\n"
    "  id: {to: dims.id, required: true}\n"
    "  station: dims.station\n"
    "  region: dims.region\n"
    "  time: {to: dims.time.at, type: timestamp, required: true}\n"
    "  value: {to: measures.value, type: decimal}\n"
    "  quality: attrs.quality\n"
    "  %s: {to: attrs.latitude, type: decimal}\n"
    "  %s: {to: attrs.longitude, type: decimal}\n"
    "key: [dims.id]\n";
constexpr char kSeries[] =
    "id: series\nname: Series\nversion: 1.0.0\n"
    "source: {type: file, path: data.xml, format: xml, records: 'DataSet.Series[*].Obs[*]'}\n"
    "limits: {max_bytes: 8GiB, max_records: 100000000}\n"
    "mapping:\n"
    "  '^.SeriesKey.Value[@id=\"CURRENCY\"].@value': {to: dims.currency, required: true}\n"
    "  ObsDimension.@value: {to: dims.time.month, using: to_year_month, required: true}\n"
    "  ObsValue.@value: {to: measures.rate, type: decimal}\n"
    "  'Attributes.Value[@id=\"OBS_STATUS\"].@value': attrs.status\n";

Profile ParseOrDie(const std::string& yaml) {
  absl::StatusOr<Profile> profile = ParseProfileOrError("bench.yaml", yaml);
  RequireOk(profile.status(), "reading a profile");
  return *std::move(profile);
}

size_t DecodeAll(const std::string& text, const Profile& profile) {
  auto normalizer = Normalizer::Create(profile);
  RequireOk(normalizer.status(), "making the normalizer");
  const std::vector<std::string>& paths = (*normalizer)->paths();
  auto decoder = drone::Decoder::Create(profile.source, paths);
  RequireOk(decoder.status(), "making the decoder");
  Pieces body(text);
  Touch sink(paths.size());
  auto result = (*decoder)->Decode(body, "", "", sink);
  RequireOk(result.status(), "decoding");
  return static_cast<size_t>(result->rows);
}

size_t RunAll(const Profile& profile, const std::string& folder, const std::string& run, drone::BatchSink& sink) {
  static std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({}));
  SystemClock clock;
  drone::Pipeline pipeline({profile, run, "bench"}, {*http, clock, folder, sink});
  v1::RunEnd end = pipeline.Run();
  if (!end.error_reason().empty()) RequireOk(absl::InternalError(end.error()), "the run");
  return static_cast<size_t>(end.fetched());
}

size_t SpoolAll(const Profile& profile, const std::string& folder) {
  static int runs = 0;
  const std::string run = absl::StrCat("run-", ++runs);
  drone::SpoolOptions options;
  options.path = absl::StrCat(folder, "/spool-", runs);
  options.max_bytes = kSpoolBytes;
  auto spool = drone::Spool::Open(options);
  RequireOk(spool.status(), "opening the spool");
  v1::RunEnd begin;
  begin.set_run_id(run);
  begin.set_profile_id(profile.id);
  RequireOk((*spool)->BeginRun(begin), "beginning a run");
  ToSpool sink(**spool, run);
  return RunAll(profile, folder, run, sink);
}

// Every field of every line is visited.
size_t OnDemand(const simdjson::padded_string& text) {
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document_stream lines = parser.iterate_many(text, size_t{1} << 20);
  size_t rows = 0;
  for (auto line : lines) {
    simdjson::ondemand::object row = line.get_object();
    for (auto field : row) {
      simdjson::ondemand::value value = field.value();
      switch (value.type()) {
        case simdjson::ondemand::json_type::string:
          rows += value.get_string().value().size() == size_t(-1);
          break;
        case simdjson::ondemand::json_type::number:
          rows += value.get_double().value() == 1e300;
          break;
        default:
          for (auto inner : value.get_object()) rows += inner.value().get_double().value() == 1e300;
      }
    }
    ++rows;
  }
  return rows;
}

size_t CountLines(const std::string& text) {
  size_t lines = 0;
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at < end; ++lines) {
    const void* found = std::memchr(at, '\n', static_cast<size_t>(end - at));
    if (found == nullptr) break;
    at = static_cast<const char*>(found) + 1;
  }
  return lines;
}

size_t ParseXml(const std::string& text) {
  Pieces body(text);
  Ignore handler;
  drone::XmlUris uris;
  drone::XmlParser parser(handler, uris);
  RequireOk(parser.Parse(body), "parsing");
  return 0;
}

bool Works(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

struct Contender {
  std::string group;
  std::string kind;  // as of a Figure
  std::string name;
  size_t bytes;
  std::function<size_t()> run;
  double goal = 0;  // MB/s; 0: nothing is asked of it
  size_t rows = 0;
  std::vector<double> walls = {};
  std::vector<double> cpus = {};
};

void Print(const Contender& contender) {
  double megabytes = static_cast<double>(contender.bytes) / 1e6;
  double cpu = megabytes / Median(contender.cpus);
  const std::string name =
      contender.kind == "ours" ? absl::StrCat(contender.group, " ", contender.name) : contender.name;
  std::printf("%-46s %12.0f %12.0f %10zu", name.c_str(), megabytes / Median(contender.walls), cpu, contender.rows);
  if (contender.goal > 0) {
    std::printf("   goal %.0f MB/s of CPU: %s", contender.goal, cpu >= contender.goal ? "met" : "missed");
  }
  std::printf("\n");
  RecordFigure(
      {contender.group + ", one core", contender.kind, contender.name, cpu, "MB/s of CPU", false, contender.goal});
}

void Write(const std::string& path, absl::string_view text) { std::ofstream(path, std::ios::binary) << text; }

std::function<size_t()> Shell(const std::string& command) {
  return [command] {
    RequireOk(Works(command) ? absl::OkStatus() : absl::InternalError(command), "running a peer");
    return size_t{0};
  };
}

// Reads a file into a table of the columns that the profile maps.
std::function<size_t()> DuckDb(const std::string& reader) {
  return Shell(
      "python3 -c \"import duckdb; c = duckdb.connect(); c.execute('set threads = 1'); c.execute(\\\"create table t as "
      "select id, station, region, time, value, quality, " +
      reader + "\\\")\"");
}

// The peers read a part of the JSON where they would take minutes for all of it.
void AddPeers(const std::string& folder, const std::string& ndjson, const std::string& csv,
              std::vector<Contender>& contenders) {
  const size_t part = ndjson.rfind('\n', std::min<size_t>(ndjson.size(), 16'000'000)) + 1;
  Write(folder + "/part.ndjson", absl::string_view(ndjson).substr(0, part));
  if (Works("jq --version")) {
    contenders.push_back({"JSON lines", "peer", "jq, 8 fields", part,
                          Shell("jq -c '[.id,.station,.region,.time,.value,.quality,.location.lat,.location.lon]' " +
                                folder + "/part.ndjson")});
  } else {
    std::printf("peer jq: not installed\n");
  }
  if (Works("python3 -c 'import duckdb'")) {
    contenders.push_back({"JSON lines", "peer", "DuckDB read_json, 1 thread", ndjson.size(),
                          DuckDb("location.lat, location.lon from read_json('" + folder +
                                 "/data.ndjson', format='newline_delimited')")});
    contenders.push_back({"CSV", "peer", "DuckDB read_csv, 1 thread", csv.size(),
                          DuckDb("lat, lon from read_csv('" + folder + "/data.csv')")});
  } else {
    std::printf("peer DuckDB: its Python module is not installed\n");
  }
}

int Run(int argc, char** argv) {
  BenchFlags flags = ParseFlags(argc, argv);
  BenchDir dir(flags.dir);
  const size_t bytes = (flags.quick ? size_t{48} : size_t{152}) * 1'000'000;
  const std::string ndjson = MakeNdjson(bytes), csv = MakeCsv(bytes), xml = MakeXml(bytes / 2);
  const simdjson::padded_string padded(ndjson);
  Write(dir.path() + "/data.ndjson", ndjson);
  Write(dir.path() + "/data.csv", csv);
  Write(dir.path() + "/data.xml", xml);
  const Profile lines = ParseOrDie(absl::StrFormat(kRecords, "data.ndjson", "ndjson", "location.lat", "location.lon"));
  const Profile table = ParseOrDie(absl::StrFormat(kRecords, "data.csv", "csv", "lat", "lon"));
  const Profile series = ParseOrDie(kSeries);
  Nowhere nowhere;

  std::vector<Contender> contenders;
  auto add = [&](const std::string& what, const std::string& text, const Profile& profile, double goal) {
    contenders.push_back(
        {what, "ours", "to the spool, with fsync", text.size(), [&] { return SpoolAll(profile, dir.path()); }, goal});
    contenders.push_back(
        {what, "ours", "to packed batches", text.size(), [&] { return RunAll(profile, dir.path(), "run", nowhere); }});
    contenders.push_back({what, "ours", "decoded", text.size(), [&] { return DecodeAll(text, profile); }});
  };
  auto limit = [&](const std::string& what, const std::string& name, const std::string& text,
                   const std::function<size_t()>& parse) {
    contenders.push_back({what, "limit", name, text.size(), parse});
    contenders.push_back({what, "limit", name + ", and SHA-256", text.size(), [&text, parse] {
                            const size_t rows = parse();
                            RequireOk(Sha256Hex(text).empty() ? absl::InternalError("no digest") : absl::OkStatus(),
                                      "hashing");
                            return rows;
                          }});
  };
  add("JSON lines", ndjson, lines, 600);
  limit("JSON lines", "simdjson On-Demand, all fields", ndjson, [&] { return OnDemand(padded); });
  add("CSV", csv, table, 700);
  limit("CSV", "memchr for line ends", csv, [&] { return CountLines(csv); });
  add("XML", xml, series, 200);
  limit("XML", "expat, all events", xml, [&] { return ParseXml(xml); });
  AddPeers(dir.path(), ndjson, csv, contenders);

  const int rounds = flags.quick ? 3 : 5;
  std::printf("edge: %.0f MB of JSON lines and CSV, %.0f MB of XML; median of %d rounds\n",
              static_cast<double>(bytes) / 1e6, static_cast<double>(xml.size()) / 1e6, rounds);
  for (int round = 0; round < rounds; ++round) {
    for (Contender& contender : contenders) {
      if (contender.kind == "peer" && round > 2) continue;
      Stopwatch watch;
      contender.rows = contender.run();
      contender.walls.push_back(watch.Wall());
      contender.cpus.push_back(watch.Cpu());
    }
  }
  std::printf("\n%-46s %12s %12s %10s\n", "", "MB/s (wall)", "MB/s (CPU)", "rows");
  for (const Contender& contender : contenders) Print(contender);
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(argc, argv); }
