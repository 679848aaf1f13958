"""Curation of the NVIDIA rows of the accelerator table."""

from __future__ import annotations

from tests.transcribe.accelerators_curated import (
    AIC,
    EPOCH,
    LIFECYCLE,
    PLACEHOLDER,
    RUBIN,
    RUBIN_ULTRA,
    SPECS,
    SPECS_LATER,
    ULTRA,
    USABLE,
    Curated,
    clash,
    derived,
    power_fraction,
    price,
    published,
    second_hand,
    unverified,
)

ROWS: dict[str, Curated] = {
    "A100-40GB-SXM": Curated(
        "a100-40gb-sxm",
        "NVIDIA A100 SXM4 40 GB",
        ("A100-40GB", "A100-40G", "NVIDIA A100-SXM4-40GB", "NVIDIA A100 SXM4 40 GB"),
        EPOCH,
        "NVIDIA A100 SXM4 40 GB",
        marks={
            "price_usd": price(
                EPOCH,
                2022,
                12_000,
                18_000,
                note="Next Platform, May 2022, through Epoch AI; range assumed, +-20 %",
            )
        },
    ),
    "A100-80GB-SXM": Curated(
        "a100-80gb-sxm",
        "NVIDIA A100 SXM4 80 GB",
        (
            "A100",
            "A100-80GB",
            "A100-80G",
            "A100-SXM4-80GB",
            "a100_sxm",
            "NVIDIA A100-SXM4-80GB",
            "NVIDIA A100 SXM4 80 GB",
        ),
        AIC,
        "NVIDIA A100 SXM4 80 GB",
        evidence="published",
        extra={
            "price_usd": {
                "value": 18_000,
                **price(
                    LIFECYCLE,
                    2021,
                    14_400,
                    21_600,
                    note="input of a cost model, Q2 2021; range assumed, +-20 %",
                ),
            }
        },
    ),
    "A100-80GB-PCIe": Curated(
        "a100-80gb-pcie",
        "NVIDIA A100 PCIe 80 GB",
        ("a100_pcie", "A100-PCIE-80GB", "NVIDIA A100 80GB PCIe"),
        AIC,
        "NVIDIA A100 PCIe",
        evidence="published",
        unverified_fields=("released",),
        note="Release day not known.",
        epoch_note="Epoch AI's row is the 40 GB board, with the bandwidth of the 80 GB one",
    ),
    "H100-SXM": Curated(
        "h100-sxm",
        "NVIDIA H100 SXM5 80 GB",
        (
            "H100",
            "H100-SXM",
            "H100-80GB",
            "h100_sxm",
            "H100 SXM5",
            "NVIDIA H100-SXM-80GB",
            "NVIDIA H100 SXM5 80GB",
            "NVIDIA H100 80GB HBM3",
            "H100-SXM5-80GB",
        ),
        AIC,
        "NVIDIA H100 SXM5 80GB",
        evidence="published",
        marks={
            "price_usd": price(
                EPOCH,
                2023,
                24_400,
                44_500,
                note="DGX H100 at $269k / 8 (SemiAnalysis, May 2023); range: parts cost to an early listing",
            )
        },
        extra={
            "embodied_kg": {"value": 164, "source": "ecologits-0.9.1-llm", "grade": "paper"},
            "power_fraction": power_fraction(0.47, 0.97, 231),
        },
        conflicts=(
            clash("price_usd", 27_000, LIFECYCLE, "input of a cost model, Q4 2023"),
            clash("embodied_kg", 273, "ecologits-hardware-defaults", "later EcoLogits default"),
        ),
    ),
    "H100-PCIe": Curated(
        "h100-pcie",
        "NVIDIA H100 PCIe 80 GB",
        ("NVIDIA H100-PCIe-80GB", "NVIDIA H100 PCIe"),
        AIC,
        "NVIDIA H100 PCIe",
        evidence="published",
        epoch_note="",
    ),
    "H100-NVL": Curated(
        "h100-nvl",
        "NVIDIA H100 NVL 94 GB",
        ("NVIDIA H100-NVL-94GB", "NVIDIA H100 NVL"),
        EPOCH,
        "NVIDIA H100 NVL",
        marks={
            name: unverified("nvidia-h100-nvl-brief")
            for name in ("bf16_dense_tflops", "fp8_dense_tflops", "scaleup_gb_per_s")
        },
        unverified_fields=("scaleup_domain_count",),
    ),
    "H800-SXM": Curated(
        "h800-sxm",
        "NVIDIA H800 SXM5 80 GB",
        ("H800", "NVIDIA H800 SXM5"),
        AIC,
        "NVIDIA H800 SXM5",
        evidence="published",
        marks={"hbm_tb_per_s": second_hand(EPOCH)},
    ),
    "H200-SXM": Curated(
        "h200-sxm",
        "NVIDIA H200 SXM 141 GB",
        ("H200", "h200_sxm", "NVIDIA H200-SXM-141GB", "NVIDIA H200-SXM-141GB-CTS", "NVIDIA H200 SXM"),
        AIC,
        "NVIDIA H200 SXM",
        evidence="published",
        extra={
            "price_usd": {
                "value": 35_000,
                **price(
                    LIFECYCLE,
                    2024,
                    28_000,
                    42_000,
                    note="cost model, Q4 2024; from -20 % (assumed) to street quotes of 38-42 k$",
                ),
            }
        },
    ),
    "H20": Curated(
        "h20",
        "NVIDIA H20 96 GB",
        ("NVIDIA HGX H20", "NVIDIA H20", "h20_sxm"),
        EPOCH,
        "NVIDIA HGX H20",
        marks={
            "fp8_dense_tflops": unverified(AIC, note="2 x BF16; AIConfigurator writes 294"),
            "scaleup_gb_per_s": published(AIC),
            "price_usd": price(
                EPOCH, 2024, 10_000, 13_000, note="distributor quotes, Tom's Hardware, through Epoch AI"
            ),
        },
        conflicts=(clash("tdp_w", 700, AIC, "left over from the H100 file it was copied from"),),
    ),
    "L40S": Curated(
        "l40s",
        "NVIDIA L40S 48 GB",
        ("L40S", "NVIDIA L40S"),
        AIC,
        evidence="published",
        note="PCIe only: no NVLink. Release day not known.",
    ),
    "L4": Curated(
        "l4",
        "NVIDIA L4 24 GB",
        ("NVIDIA L4",),
        AIC,
        "NVIDIA L4",
        evidence="published",
        note="PCIe only: no NVLink.",
    ),
    "GH200-96": Curated(
        "gh200-96",
        "NVIDIA GH200 Grace Hopper 96 GB",
        ("GH200", "NVIDIA GH200", "NVIDIA GH200 Grace Hopper Superchip 96GB"),
        EPOCH,
        "NVIDIA GH200",
        marks={
            "fp8_dense_tflops": derived(EPOCH, "datasheet", note="2 x BF16, the same silicon as H100"),
            "tdp_w": unverified("nvidia-gh200-datasheet", note="module limit, Grace CPU included"),
            **{name: unverified("nvidia-gh200-datasheet") for name in ("hbm_gb", "hbm_tb_per_s", "scaleup_gb_per_s")},
        },
        unverified_fields=("scaleup_domain_count",),
        epoch_note="Epoch AI's row seems to be another GH200 variant",
    ),
    "RTX-PRO-6000-BSE": Curated(
        "rtx-pro-6000-bse",
        "NVIDIA RTX PRO 6000 Blackwell Server Edition",
        ("RTX6000", "RTX PRO 6000", "rtx_pro_6000_server", "NVIDIA RTX PRO 6000 Blackwell Server Edition"),
        AIC,
        evidence="published",
        unverified_fields=("released",),
        note="GDDR7, PCIe only. FLOP/s at the 2,430 MHz the source saw. Release day not known.",
    ),
    "B200-SXM": Curated(
        "b200-sxm",
        "NVIDIA B200 SXM 180 GB",
        ("B200", "b200_sxm", "NVIDIA B200", "NVIDIA B200-SXM-180GB"),
        AIC,
        "NVIDIA B200",
        evidence="published",
        marks={
            "hbm_gb": {"source": "nvidia-dgx-b200-guide", "note": "1,440 GB over 8 GPUs"},
            "hbm_tb_per_s": second_hand(SPECS),
        },
        extra={
            "price_usd": {
                "value": 40_000,
                **price(
                    LIFECYCLE,
                    2025,
                    32_000,
                    50_000,
                    note="cost model, Q4 2025; from -20 % (assumed) to street quotes of 45-50 k$",
                ),
            },
            "power_fraction": power_fraction(0.36, 0.96, 221),
        },
        conflicts=(
            clash("hbm_tb_per_s", 7.7, AIC, "system file"),
            clash("hbm_gb", 192, SPECS_LATER, USABLE),
        ),
    ),
    "B300-SXM": Curated(
        "b300-sxm",
        "NVIDIA B300 SXM (Blackwell Ultra)",
        ("B300", "b300_sxm", "NVIDIA B300", "NVIDIA B300 (Blackwell Ultra)"),
        SPECS,
        "NVIDIA B300 (Blackwell Ultra)",
        marks={
            "tdp_w": published(AIC),
            **dict.fromkeys(("hyperscaler_usd_per_h", "neocloud_usd_per_h", "rental_3y_usd_per_h"), PLACEHOLDER),
        },
        conflicts=(
            clash("fp4_dense_tflops", 14_000, AIC, "system file"),
            clash(
                "fp4_dense_tflops",
                18_000,
                "aiwiki-dgx-b300",
                "144 PF of a DGX B300 / 8: sparse",
            ),
            clash("hbm_tb_per_s", 7.75, AIC, "system file"),
            clash("hbm_gb", 288.4, AIC, "275,040 MiB in the system file"),
            clash("hbm_gb", 288, SPECS_LATER, USABLE),
        ),
        exceptions={"fp4_dense_tflops": ULTRA},
    ),
    "GB200-NVL72": Curated(
        "gb200-nvl72",
        "NVIDIA GB200 NVL72, one GPU",
        ("GB200", "NVIDIA GB200"),
        AIC,
        "NVIDIA GB200",
        evidence="published",
        marks={
            "hbm_gb": second_hand(SPECS),
            "price_usd": derived(
                "fetchlogic-gb200",
                currency_year=2025,
                range=[27_800, 70_000],
                note="$3.1M a rack / 72; range: a $2M rack to an all-in cluster of $5M a rack",
            ),
        },
        conflicts=(
            clash("hbm_gb", 192, SPECS_LATER, USABLE),
            clash("hbm_gb", 198.7, SPECS_LATER, "189,471 MiB, the memory the driver reports"),
        ),
    ),
    "GB300-NVL72": Curated(
        "gb300-nvl72",
        "NVIDIA GB300 NVL72, one GPU",
        ("GB300", "NVIDIA GB300", "NVIDIA GB300 (Blackwell Ultra)"),
        AIC,
        "NVIDIA GB300 (Blackwell Ultra)",
        evidence="published",
        marks={
            "hbm_gb": second_hand(SPECS),
            **dict.fromkeys(("hyperscaler_usd_per_h", "neocloud_usd_per_h", "rental_3y_usd_per_h"), PLACEHOLDER),
        },
        conflicts=(
            clash("hbm_gb", 278, SPECS_LATER, "277.5 GiB usable; 284,208 MiB reported by the driver"),
            clash("hbm_gb", 288, SPECS_LATER, USABLE),
        ),
        exceptions={"fp4_dense_tflops": ULTRA},
    ),
    "Rubin-VR200": Curated(
        "rubin-vr200",
        "NVIDIA Rubin (VR200), one package",
        ("VR200", "Rubin"),
        RUBIN,
        grade="estimate",
        status="roadmap",
        note="Preliminary: second half of 2026 announced, day not known. No figure here is from a datasheet.",
        marks={
            "bf16_dense_tflops": unverified(RUBIN),
            "fp8_dense_tflops": derived(RUBIN, note="1.2 EF FP8 of an NVL144 rack / 144 dies"),
            "fp4_dense_tflops": derived(RUBIN, note="50 PF sparse / 2"),
            "scaleup_gb_per_s": unverified(RUBIN),
        },
        unverified_fields=("scaleup_domain_count",),
        conflicts=(clash("hbm_tb_per_s", 13, "rubin-2025-announcements", "earlier announcement"),),
        exceptions={
            "fp8_dense_tflops": "the two figures come from different announcements",
            "fp4_dense_tflops": "announced FP4 is about 3 x FP8, as on Blackwell Ultra",
        },
    ),
    "Rubin-Ultra-NVL576": Curated(
        "rubin-ultra-nvl576",
        "NVIDIA Rubin Ultra, one package of NVL576",
        ("Rubin Ultra",),
        RUBIN_ULTRA,
        grade="estimate",
        status="roadmap",
        note="Roadmap: second half of 2027, day not known. Whether the 100 PF FP4 is dense is not stated.",
        marks={"tdp_w": unverified(RUBIN_ULTRA)},
    ),
}
