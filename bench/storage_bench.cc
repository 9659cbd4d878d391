// Bytes a stored record takes, and how fast a core makes and reads them, on three data sets: readings of stations that
// repeat themselves (D1), values as random as they come (D2), and real files through their profiles (D3, where they are
// at hand). Records arrive in batches in order of time, are merged in order of their key, and are sealed to chunks.
// Beside it, over the same rows in the same order: Parquet with zstd as DuckDB writes it, and a MergeTree of ClickHouse
// with its recommended codecs, where these are installed. The peers store no origin of a row, so ours is given with
// and without. The index that tells known records takes nothing on disk beyond these; its memory is given, too.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/bench_report.h"
#include "common/batch/batch.h"
#include "common/chunk/batch_columns.h"
#include "common/chunk/chunk.h"
#include "common/chunk/row_gatherer.h"
#include "common/chunk/sort_key.h"
#include "common/clock/clock.h"
#include "common/net/http_client.h"
#include "common/profile/profile_parser.h"
#include "common/status/status.h"
#include "control/aggregator/part_filter.h"
#include "drone/pipeline/pipeline.h"

namespace chartly::bench {
namespace {

constexpr uint32_t kBatchRows = 16384;
constexpr double kGoal = 0.8;  // times the bytes of a peer

struct DataSet {
  std::string name;
  std::vector<std::string> key;
  std::vector<std::string> batches;
};

class Noise {
 public:
  uint64_t Next() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t mixed = (state_ ^ state_ >> 30) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
    return mixed ^ mixed >> 31;
  }
  double Unit() { return static_cast<double>(Next() >> 11) / 9007199254740992.0; }

 private:
  uint64_t state_ = 1;
};

// Collects rows into batches of kBatchRows, as a drone sends them.
class Writer {
 public:
  explicit Writer(DataSet& set) : set_(set) {
    BatchHeader origin;
    origin.set_profile_id("bench");
    for (const std::string& dim : set.key) origin.add_key(dim);
    builder_.SetOrigin(origin);
  }
  ~Writer() { Flush(); }
  BatchBuilder& builder() { return builder_; }
  void Begin() { builder_.BeginRow(1, ++row_); }
  void End() {
    builder_.EndRow();
    if (builder_.rows() == kBatchRows) Flush();
  }

 private:
  void Flush() {
    if (builder_.empty()) return;
    auto batch = builder_.Finish();
    RequireOk(batch.status(), "packing a batch");
    set_.batches.push_back(*std::move(batch));
  }
  DataSet& set_;
  BatchBuilder builder_;
  uint32_t row_ = 0;
};

// 1,000 stations, a reading of each a minute. Of nine fields only two are not determined by station and time: the value
// steps up or down by a tenth in two of five cases (1.37 bits), one reading in four is estimated (0.81 bits).
DataSet Readings(size_t records) {
  DataSet set{"D1: 1,000 series, 9 fields", {"station", "time.at"}, {}};
  Writer writer(set);
  BatchBuilder& builder = writer.builder();
  const size_t id = builder.AddColumn(Role::kAttr, "id"), station = builder.AddColumn(Role::kDim, "station"),
               time = builder.AddColumn(Role::kDim, "time.at"), region = builder.AddColumn(Role::kAttr, "region"),
               quality = builder.AddColumn(Role::kAttr, "quality"), value = builder.AddColumn(Role::kMeasure, "value"),
               count = builder.AddColumn(Role::kMeasure, "count"), lat = builder.AddColumn(Role::kAttr, "lat"),
               lon = builder.AddColumn(Role::kAttr, "lon");
  std::vector<int64_t> tenths(1000, 200);
  Noise noise;
  for (size_t i = 0; i < records; ++i) {
    const size_t number = i % 1000;
    const uint64_t step = noise.Next() % 10;
    tenths[number] += step < 2 ? -1 : step < 4 ? 1 : 0;
    writer.Begin();
    builder.SetText(id, absl::StrFormat("r%09d", i));
    builder.SetText(station, absl::StrFormat("ST%04d", number));
    builder.SetText(region, absl::StrCat("north-", number % 12));
    builder.SetText(quality, noise.Next() % 4 == 0 ? "estimated" : "good");
    builder.Set(time, Value::Of(Timestamp{1709251200000000 + static_cast<int64_t>(i / 1000) * 60000000, 0}));
    builder.Set(value, Value::Of(Decimal{tenths[number], 1}));
    builder.SetInteger(count, static_cast<int64_t>(number % 9));
    builder.Set(lat, Value::Of(Decimal{static_cast<int64_t>(number * 7919 % 18000) - 9000, 2}));
    builder.Set(lon, Value::Of(Decimal{static_cast<int64_t>(number * 104729 % 36000) - 18000, 2}));
    writer.End();
  }
  return set;
}

// Events with random ids at random times: what is left to save is only how a value is written.
DataSet Events(size_t records) {
  DataSet set{"D2: high entropy, 8 fields", {"id"}, {}};
  Writer writer(set);
  BatchBuilder& builder = writer.builder();
  const size_t id = builder.AddColumn(Role::kDim, "id"), time = builder.AddColumn(Role::kDim, "time.at"),
               host = builder.AddColumn(Role::kDim, "host"), latency = builder.AddColumn(Role::kMeasure, "latency"),
               price = builder.AddColumn(Role::kMeasure, "price"), level = builder.AddColumn(Role::kMeasure, "level"),
               bytes = builder.AddColumn(Role::kMeasure, "bytes"), address = builder.AddColumn(Role::kAttr, "address");
  Noise noise;
  int64_t micros = 1709251200000000;
  for (size_t i = 0; i < records; ++i) {
    const uint64_t high = noise.Next(), low = noise.Next();
    const double normal = std::sqrt(-2 * std::log(noise.Unit() + 1e-12)) * std::cos(6.283185307179586 * noise.Unit());
    micros += static_cast<int64_t>(noise.Next() % 2000000);
    writer.Begin();
    builder.SetText(id, absl::StrFormat("%08x-%04x-4%03x-a%03x-%012x", high >> 32, high >> 16 & 0xFFFF, high & 0xFFF,
                                        low >> 52, low & 0xFFFFFFFFFFFF));
    builder.Set(time, Value::Of(Timestamp{micros, 0}));
    builder.SetText(host, absl::StrCat("host-", noise.Next() % 997));
    builder.Set(latency, Value::Float(std::exp(normal)));
    builder.Set(price, Value::Of(Decimal{static_cast<int64_t>(10000 * std::exp(normal / 2)), 2}));
    builder.Set(level, Value::Float(std::round((20 + 5 * normal) * 1000) / 1000));
    builder.SetInteger(bytes, static_cast<int64_t>(noise.Next() % 10000000));
    builder.SetText(address,
                    absl::StrFormat("10.%d.%d.%d", noise.Next() % 256, noise.Next() % 256, noise.Next() % 256));
    writer.End();
  }
  return set;
}

struct RealFile {
  const char* name;
  const char* file;
  const char* profile;  // of the tests over public data
};

constexpr RealFile kRealFiles[] = {
    {"D3: flights", "bts_flights_20k.ndjson", "bts-flights-20k"},
    {"D3: gapminder", "gapminder.json", "gapminder"},
    {"D3: temperature anomaly", "nasa_gistemp_monthly.csv", "nasa-gistemp"},
    {"D3: electricity demand, hourly", "eia_ca_electricity_demand_hourly.csv", "eia-demand"},
    {"D3: cities", "geonames_cities_10k.csv", "geonames-cities"},
};

class Collect final : public drone::BatchSink {
 public:
  explicit Collect(std::vector<std::string>& batches) : batches_(batches) {}
  absl::Status Append(std::string batch, int64_t, const drone::Cursor*) override {
    batches_.push_back(std::move(batch));
    return absl::OkStatus();
  }

 private:
  std::vector<std::string>& batches_;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

DataSet RealSet(const RealFile& real, const std::string& folder) {
  const std::string path = absl::StrCat(CHARTLY_SOURCE_DIR "/test/e2e/public_data/", real.profile, ".yaml");
  absl::StatusOr<Profile> profile = ParseProfileOrError(path, ReadFile(path));
  RequireOk(profile.status(), absl::StrCat("reading the profile of ", real.file));
  DataSet set{real.name, {}, {}};
  Collect sink(set.batches);
  static const std::unique_ptr<net::HttpClient> http = net::MakeHttpClient(*net::EgressPolicy::Create({}));
  SystemClock clock;
  drone::Pipeline pipeline({*profile, "run", "bench"}, {*http, clock, folder, sink});
  const v1::RunEnd end = pipeline.Run();
  if (!end.error_reason().empty()) RequireOk(absl::InternalError(end.error()), absl::StrCat("reading ", real.file));
  return set;
}

// The rows of all batches in order of their key, in sets of at most kMaxChunkRows.
std::vector<ColumnSet> Merge(const DataSet& set) {
  std::vector<ColumnSet> sources;
  std::vector<std::pair<std::string, RowRef>> keyed;
  for (const std::string& bytes : set.batches) {
    auto batch = Batch::Parse(bytes);
    RequireOk(batch.status(), "reading a batch");
    const auto source = static_cast<uint32_t>(sources.size());
    sources.push_back(ColumnsOfBatch(*batch, 1000 + source));
    SortKeyEncoder encoder(sources.back(), set.key);
    for (uint32_t row = 0; row < batch->rows(); ++row) keyed.push_back({encoder.Of(row), {source, row}});
  }
  std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const ColumnSet*> pointers;
  for (const ColumnSet& source : sources) pointers.push_back(&source);
  std::vector<ColumnSet> merged;
  RowGatherer gatherer;
  for (size_t begin = 0; begin < keyed.size(); begin += kMaxChunkRows) {
    std::vector<RowRef> order;
    for (size_t i = begin; i < std::min<size_t>(keyed.size(), begin + kMaxChunkRows); ++i) {
      order.push_back(keyed[i].second);
    }
    gatherer.Append(pointers, order);
    merged.push_back(gatherer.Take());
  }
  return merged;
}

bool IsOrigin(const ColumnData& column) { return column.role == Role::kSource || column.role == Role::kSystem; }

// Bytes that the vectors of a decoded column hold.
size_t DecodedBytes(const ColumnData& column) {
  return column.nulls.size() * 8 + column.integers.size() * 8 + column.wide.size() * 16 + column.floats.size() * 8 +
         column.scales.size() + column.offsets_minutes.size() * 2 + column.text_ends.size() * 4 + column.heap.size() +
         column.codes.size() * 4;
}

struct ColumnFigures {
  std::string name;
  size_t encoded = 0;
  size_t decoded = 0;
  double decode_seconds = 0;
  bool origin = false;
};

struct Figures {
  size_t records = 0;
  size_t total = 0;   // bytes of the chunks, with footers
  size_t origin = 0;  // of that, columns that say where rows come from
  size_t decoded = 0;
  double seal_seconds = 0;
  std::vector<ColumnFigures> columns;
};

ColumnFigures& FiguresOf(Figures& figures, const ColumnData& column) {
  for (ColumnFigures& known : figures.columns) {
    if (known.name == absl::StrCat(static_cast<int>(column.role), " ", column.name)) return known;
  }
  figures.columns.push_back({absl::StrCat(static_cast<int>(column.role), " ", column.name), 0, 0, 0, IsOrigin(column)});
  return figures.columns.back();
}

Figures Measure(const std::vector<ColumnSet>& sets, const std::vector<std::string>& key, int rounds) {
  Figures figures;
  std::vector<std::string> chunks;
  std::vector<double> sealing;
  for (int round = 0; round < rounds; ++round) {
    chunks.clear();
    Stopwatch watch;
    for (const ColumnSet& set : sets) {
      auto chunk = SealChunk(set, {key});
      RequireOk(chunk.status(), "sealing a chunk");
      chunks.push_back(*std::move(chunk));
    }
    sealing.push_back(watch.Cpu());
  }
  figures.seal_seconds = Median(sealing);
  ChunkScratch scratch;
  ColumnData column;
  for (const std::string& chunk : chunks) {
    auto reader = ChunkReader::Open(chunk);
    RequireOk(reader.status(), "opening a chunk");
    figures.records += reader->rows();
    figures.total += chunk.size();
    for (size_t i = 0; i < reader->columns().size(); ++i) {
      RequireOk(reader->Decode(i, column, scratch), "decoding a column");
      std::vector<double> decoding;
      for (int round = 0; round < rounds; ++round) {
        Stopwatch watch;
        RequireOk(reader->Decode(i, column, scratch), "decoding a column");
        decoding.push_back(watch.Cpu());
      }
      ColumnFigures& of_column = FiguresOf(figures, column);
      of_column.encoded += reader->columns()[i].encoded_bytes;
      of_column.decoded += DecodedBytes(column);
      of_column.decode_seconds += Median(decoding);
      figures.decoded += DecodedBytes(column);
      if (of_column.origin) figures.origin += reader->columns()[i].encoded_bytes;
    }
  }
  return figures;
}

// Dots would mean nested columns.
std::string PeerName(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

// Names of the key dims, as the peers know them.
std::string PeerKey(const ColumnSet& set, const std::vector<std::string>& key) {
  std::string names;
  for (const ColumnData& column : set) {
    const bool in_key = key.empty() || std::find(key.begin(), key.end(), column.name) != key.end();
    if (column.role == Role::kDim && in_key) absl::StrAppend(&names, names.empty() ? "" : ",", PeerName(column.name));
  }
  return names;
}

// A row a line, for the peers: dims, measures and attrs in the order of the chunks.
void WriteCsv(const std::vector<ColumnSet>& sets, const std::string& path) {
  std::vector<std::pair<Role, std::string>> fields;
  for (const ColumnSet& set : sets) {
    for (const ColumnData& column : set) {
      const std::pair<Role, std::string> field(column.role, column.name);
      if (!IsOrigin(column) && std::find(fields.begin(), fields.end(), field) == fields.end()) fields.push_back(field);
    }
  }
  std::ofstream out(path, std::ios::binary);
  for (size_t i = 0; i < fields.size(); ++i) out << (i > 0 ? "," : "") << PeerName(fields[i].second);
  out << "\n";
  std::string line;
  for (const ColumnSet& set : sets) {
    for (uint32_t row = 0; row < RowsOf(set); ++row) {
      line.clear();
      for (size_t i = 0; i < fields.size(); ++i) {
        std::string text = GetValue(set, fields[i].first, fields[i].second, row).ToText();
        if (text.find_first_of("\",\n") != std::string::npos) {
          for (size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2) text.insert(at, 1, '"');
          text = absl::StrCat("\"", text, "\"");
        }
        absl::StrAppend(&line, i > 0 ? "," : "", text);
      }
      out << line << "\n";
    }
  }
}

constexpr char kParquet[] = R"py(
import duckdb, os, sys
folder, key = sys.argv[1], sys.argv[2]
c = duckdb.connect()
c.execute('set threads = 1')
c.execute(f"copy (select * from read_csv('{folder}/rows.csv', sample_size=-1)) to '{folder}/rows.parquet' "
          "(format parquet, compression zstd)")
print(os.path.getsize(f'{folder}/rows.parquet'))
)py";

// Every column with the codec that its type is recommended, and for floats the smaller of two.
constexpr char kMergeTree[] = R"py(
import chdb.session, sys
folder, key = sys.argv[1], sys.argv[2]
s = chdb.session.Session()
s.query('create database b')
source = f"file('{folder}/rows.parquet', Parquet)"
columns = [line.replace("\\'", "'").split('\t')[:2] for line in str(s.query(
    f"describe {source} settings schema_inference_make_columns_nullable='auto'", 'TSV')).strip().split('\n')]
best = None
for float_codec in ('ZSTD(3)', 'Gorilla, ZSTD(3)'):
    def declare(name, kind):
        bare = kind.removeprefix('Nullable(').removesuffix(')') if kind.startswith('Nullable') else kind
        if 'String' in bare:
            distinct = int(str(s.query(f'select uniq(`{name}`) from {source}', 'TSV')))
            return f'`{name}` ' + (f'LowCardinality({kind}) codec(ZSTD(3))' if distinct < 10000 else f'{kind} codec(ZSTD(3))')
        if 'DateTime' in bare or bare.startswith('Date'): codec = 'DoubleDelta, ZSTD(3)'
        elif 'Int' in bare: codec = 'Delta, ZSTD(3)'
        else: codec = float_codec
        return f'`{name}` {kind} codec({codec})'
    s.query('drop table if exists b.t')
    order = ', '.join(f'`{name}`' for name in key.split(',')) if key else 'tuple()'
    s.query(f"create table b.t ({', '.join(declare(n, k) for n, k in columns)}) engine MergeTree order by ({order}) "
            'settings allow_nullable_key = 1')
    s.query(f'insert into b.t select * from {source}')
    s.query('optimize table b.t final')
    size = int(str(s.query("select sum(bytes_on_disk) from system.parts where table = 't' and active", 'TSV')))
    best = size if best is None else min(best, size)
print(best)
)py";

// The bytes that the peer says, or nothing if it is not installed or failed.
std::optional<size_t> AskPeer(const std::string& folder, const std::string& name, const char* script,
                              const std::string& key) {
  const std::string path = absl::StrCat(folder, "/", name, ".py");
  std::ofstream(path, std::ios::binary) << script;
  const std::string command = absl::StrCat("python3 ", path, " ", folder, " '", key, "' > ", folder, "/", name,
                                           ".out 2> ", folder, "/", name, ".err");
  if (std::system(command.c_str()) != 0) return std::nullopt;
  size_t bytes = 0;
  std::ifstream(absl::StrCat(folder, "/", name, ".out")) >> bytes;
  if (bytes == 0) return std::nullopt;
  return bytes;
}

void PrintPeer(const std::string& set, const Figures& ours, const char* name, const std::optional<size_t>& theirs) {
  if (!theirs) {
    std::printf("  %-34s not installed, or it failed\n", name);
    return;
  }
  const auto records = static_cast<double>(ours.records);
  const auto peer = static_cast<double>(*theirs);
  const double whole = static_cast<double>(ours.total) / peer;
  const double data = static_cast<double>(ours.total - ours.origin) / peer;
  std::printf("  %-34s %9.3f   ours is %.2f times that, %.2f without origin: goal %.1f %s\n", name, peer / records,
              whole, data, kGoal,
              whole <= kGoal  ? "met"
              : data <= kGoal ? "met without origin"
                              : "missed");
  RecordFigure({absl::StrCat("storage of ", set), "peer", name, peer / records, "bytes/record", true});
}

void Report(const DataSet& set, const BenchFlags& flags, const std::string& folder) {
  const std::vector<ColumnSet> sets = Merge(set);
  const Figures figures = Measure(sets, set.key, flags.quick ? 3 : 5);
  const auto records = static_cast<double>(figures.records);
  std::printf("\n%s: %zu records, %zu chunks\n", set.name.c_str(), figures.records, sets.size());
  std::printf("  %-34s %9s %14s\n", "column", "B/record", "decode MB/s");
  for (const ColumnFigures& column : figures.columns) {
    std::printf("  %-34s %9.3f %14.0f\n", column.name.c_str(), static_cast<double>(column.encoded) / records,
                static_cast<double>(column.decoded) / column.decode_seconds / 1e6);
  }
  std::printf("  %-34s %9.3f   (without origin %.3f); sealed at %.0f MB/s, %.2f M records/s of one core\n",
              "all, with footers", static_cast<double>(figures.total) / records,
              static_cast<double>(figures.total - figures.origin) / records,
              static_cast<double>(figures.decoded) / figures.seal_seconds / 1e6, records / figures.seal_seconds / 1e6);
  std::printf("  %-34s %9.3f   on disk; %.3f bytes a record in memory\n", "dedupe filter", 0.0,
              static_cast<double>(aggregator::PartFilter(figures.records).bytes()) / records);
  WriteCsv(sets, folder + "/rows.csv");
  const std::string key = PeerKey(sets[0], set.key);
  const std::optional<size_t> parquet = AskPeer(folder, "parquet", kParquet, key);
  const std::optional<size_t> merge_tree = AskPeer(folder, "mergetree", kMergeTree, key);
  const size_t smaller = std::min(parquet.value_or(0), merge_tree.value_or(0));
  RecordFigure({absl::StrCat("storage of ", set.name), "ours", "Chartly, with the origin of each row",
                static_cast<double>(figures.total) / records, "bytes/record", true,
                kGoal * static_cast<double>(smaller) / records});
  PrintPeer(set.name, figures, "Parquet + zstd (DuckDB)", parquet);
  PrintPeer(set.name, figures, "ClickHouse MergeTree", merge_tree);
}

int Run(int argc, char** argv) {
  const BenchFlags flags = ParseFlags(argc, argv);
  BenchDir dir(flags.dir);
  const size_t records = flags.quick ? 200'000 : 1'000'000;
  std::printf("storage: bytes a record, and decoded bytes a second of one core\n");
  Report(Readings(records), flags, dir.path());
  Report(Events(records), flags, dir.path());
  const std::string shared = std::string(CHARTLY_SOURCE_DIR) + "/../shared/data";
  for (const RealFile& real : kRealFiles) {
    if (!std::filesystem::exists(absl::StrCat(shared, "/", real.file))) {
      std::printf("\n%s: skipped, there is no %s in %s\n", real.name, real.file, shared.c_str());
      continue;
    }
    Report(RealSet(real, shared), flags, dir.path());
  }
  return 0;
}

}  // namespace
}  // namespace chartly::bench

int main(int argc, char** argv) { return chartly::bench::Run(argc, argv); }
