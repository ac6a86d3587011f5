#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "dataset.h"
#include "fault.h"

namespace sut {

namespace {

constexpr int64_t kPicture = 224;
constexpr int64_t kTokens = 128;

int64_t given_size(const std::string& name, const std::string& text) {
    const bool digits = !text.empty() && text.size() < 10 &&
                        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || std::stoll(text) < 1)
        throw Fault("options: 'dim." + name + "' must be a whole number of at least 1, not '" + text + "'",
                    kBadInput);
    return std::stoll(text);
}

// A usual size for an open dimension: 3×224×224 pictures, 128 tokens; else what the option says.
int64_t open_size(const std::string& name, size_t axis, size_t rank,
                  const std::map<std::string, std::string>& options) {
    const auto given = options.find("dim." + name);
    if (given != options.end()) return given_size(name, given->second);
    if (axis == 0) return 1;
    if (rank != 4) return kTokens;
    return axis == 1 && name.find("height") == std::string::npos ? 3 : kPicture;
}

Shape shape_for(const Signature& signature, const TensorSpec& spec, size_t samples,
                const std::map<std::string, std::string>& options) {
    const Dims dims =
        signature.inputs.empty() ? Dims(spec.dims.begin() + 1, spec.dims.end()) : signature.sample_dims(spec);
    const size_t first = spec.dims.size() - dims.size();
    Shape shape{static_cast<int64_t>(samples)};
    for (size_t axis = 0; axis < dims.size(); ++axis)
        shape.push_back(dims[axis].open()
                            ? open_size(dims[axis].name, axis + first, spec.dims.size(), options)
                            : dims[axis].size);
    return shape;
}

uint16_t half_of(float value) {  // rounds towards zero; enough for made-up numbers
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    const int exponent = static_cast<int>((bits >> 23) & 0xff) - 112;
    if (exponent <= 0) return 0;
    const uint32_t sign = (bits >> 16) & 0x8000;
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(exponent) << 10 | ((bits >> 13) & 0x3ff));
}

template <typename T>
void put(std::byte* data, size_t place, T value) {
    std::memcpy(data + place * sizeof(T), &value, sizeof(T));
}

void fill(const TensorSpec& spec, std::byte* data, size_t count, std::mt19937_64& random) {
    std::normal_distribution<float> normal;
    const bool ones = spec.name.size() >= 4 && spec.name.compare(spec.name.size() - 4, 4, "mask") == 0;
    for (size_t place = 0; place < count; ++place) {
        const uint64_t bit = ones ? 1 : random() & 1;  // ids and lengths: valid for the smallest vocabulary
        switch (spec.type) {
            case DType::f16:
                put(data, place, half_of(normal(random)));
                break;
            case DType::f32:
                put(data, place, normal(random));
                break;
            case DType::f64:
                put(data, place, static_cast<double>(normal(random)));
                break;
            case DType::boolean:
                put(data, place, uint8_t{1});
                break;
            case DType::i8:
            case DType::u8:
                put(data, place, static_cast<uint8_t>(ones ? 1 : random() & 0xff));
                break;
            case DType::i16:
            case DType::u16:
                put(data, place, static_cast<uint16_t>(bit));
                break;
            case DType::i32:
            case DType::u32:
                put(data, place, static_cast<uint32_t>(bit));
                break;
            case DType::i64:
            case DType::u64:
                put(data, place, bit);
                break;
        }
    }
}

}  // namespace

Dataset generated(const Signature& signature, size_t samples,
                  const std::map<std::string, std::string>& options) {
    Dataset dataset;
    dataset.name = "generated";
    dataset.where = "generated inputs";
    dataset.samples = samples;
    std::vector<TensorSpec> specs = signature.inputs;
    if (specs.empty()) specs.push_back({"input", DType::f32, {{0, "batch"}, {1, ""}}});
    for (size_t place = 0; place < specs.size(); ++place) {
        const TensorSpec& spec = specs[place];
        std::byte* data = nullptr;
        Array array = new_array(spec.type, shape_for(signature, spec, samples, options), &data);
        std::mt19937_64 random(place);
        fill(spec, data, static_cast<size_t>(elements(array.shape)), random);
        dataset.inputs.emplace_back(spec.name, std::move(array));
    }
    return dataset;
}

}  // namespace sut
