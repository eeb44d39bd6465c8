//! Published sets, in small.

use super::super::etl;
use super::*;
use crate::labels::LabelValue;
use crate::time::Span;

const DIABETES: &str = "encounter_id,patient_nbr,race,gender,age,discharge_disposition_id,time_in_hospital,diag_1,\
    A1Cresult,insulin,change,number_inpatient,readmitted\n\
    20,5,Caucasian,Female,[70-80),1,3,250.83,>7,Up,Ch,2,<30\n\
    10,5,?,Female,[60-70),11,2,?,None,No,No,0,NO\n\
    30,6,?,Male,[0-10),13,1,V45,None,Steady,No,0,>30\n\
    30,7,?,Male,[0-10),1,1,V45,None,No,No,0,NO\n\
    31,7,?,Male,[0-10),1,x,V45,None,No,No,0,NO\n\
    32,7,?,Male,[0-10),1,1,V45,None,No,No,0,perhaps\n33,7\n";

#[test]
fn diabetics_come_back_in_order_and_the_dead_do_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("diabetic_data.csv"), DIABETES).unwrap();
    let set = diabetes::read(folder.path()).unwrap();
    let order: Vec<(i64, i64)> = set.encounters.iter().map(|stay| (stay.patient, stay.encounter)).collect();
    assert_eq!(order, [(5, 10), (5, 20), (6, 30)]);
    assert_eq!((set.counts.read, set.counts.kept, set.counts.dropped_rows()), (7, 3, 4));
    assert_eq!(set.encounters.iter().map(diabetes::Encounter::is_final).collect::<Vec<_>>(), [true, false, true]);
    // patient 5 came back from a hospice, patient 6 died
    assert!(diabetes::labels(&set.encounters, false).is_empty());
    let mut alive = set.encounters.clone();
    alive[0].disposition = alive[1].disposition;
    let labels = diabetes::labels(&alive, false);
    assert_eq!((labels.len(), labels[1].subject, &labels[1].value), (2, 5, &LabelValue::Boolean(true)));
    assert_eq!(diabetes::labels(&set.encounters, true).len(), 3);
    let (events, _) = etl::read(diabetes::open(folder.path()).unwrap().as_mut()).unwrap();
    let subject = events.find(5).unwrap();
    let told: Vec<String> = subject
        .events()
        .map(|event| {
            let time = event.time.map_or("-".to_owned(), |time| time.to_string());
            format!("{time} {} {:?}", events.codebook.name(event.code), event.value)
        })
        .collect();
    assert_eq!(
        told,
        [
            "- GENDER//F None",
            "1970-01-01 00:00:00 HOSPITAL_ADMISSION//UNK//UNK None",
            "1970-01-01 00:00:00 AGE Some(65.0)",
            "1970-01-01 00:00:00 COUNT//number_inpatient Some(0.0)",
            "1970-01-03 00:00:00 COUNT//time_in_hospital Some(2.0)",
            "1970-01-03 00:00:00 HOSPITAL_DISCHARGE//11 None",
            "1970-01-03 00:00:00 MEDS_DEATH None",
            "1971-01-01 00:00:00 HOSPITAL_ADMISSION//UNK//UNK None",
            "1971-01-01 00:00:00 AGE Some(75.0)",
            "1971-01-01 00:00:00 COUNT//number_inpatient Some(2.0)",
            "1971-01-04 00:00:00 COUNT//time_in_hospital Some(3.0)",
            "1971-01-04 00:00:00 DIAGNOSIS//ICD9CM//250.83 None",
            "1971-01-04 00:00:00 LAB//A1Cresult//>7 None",
            "1971-01-04 00:00:00 MEDICATION//NAME//insulin//Up None",
            "1971-01-04 00:00:00 MEDICATION_CHANGE None",
            "1971-01-04 00:00:00 HOSPITAL_DISCHARGE//1 None",
        ]
    );
    assert!(!events.codebook.iter().any(|(_, name)| name.contains("<30")), "the label is no event");
}

#[test]
fn repeated_measurements_are_sorted_and_bad_rows_counted() {
    let folder = tempfile::tempdir().unwrap();
    let text = "id,tte,times,label,albumin,sex\n2,10,5,1,3.5,0\n2,10,0,1,,0\n1,7,0,0,4,1\n2,10,11,1,3,0\n2,9,6,1,3,0\n\
        2,10,5,1,3,0\n2,10,6,1,x,0\n3,1,0,0.5,1,1\n";
    fs::write(folder.path().join("pbc2_cleaned.csv"), text).unwrap();
    let (set, counts) = pbc2(folder.path()).unwrap();
    assert_eq!(
        (set.names.clone(), set.subjects.len(), set.rows()),
        (vec!["albumin".to_owned(), "sex".to_owned()], 2, 3)
    );
    assert_eq!((counts.read, counts.kept, counts.dropped_rows()), (8, 3, 5));
    let second = &set.subjects[1];
    assert_eq!((second.id, second.time, second.cause, &second.times[..]), (2, 10.0, 1, &[0.0, 5.0][..]));
    assert!(second.values[0].is_nan());
    assert_eq!(second.values[1..], [0.0, 3.5, 0.0]);
    let events = set.to_events("PBC2", Span::days(7)).unwrap();
    let last = events.find(2).unwrap().events().next_back().unwrap();
    assert_eq!((last.time.unwrap().to_string().as_str(), events.rows()), ("1970-02-05 00:00:00", 5));
}

#[test]
fn categories_become_columns() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        "time,label,true_time,feature1,feature2\n5,1,9,0.5,b\n6,0,9,,a\n7,2,9,1.5,\n-1,0,9,1,a\n8,0.5,9,1,a\n9,1\n";
    fs::write(folder.path().join("synthetic_comprisk.csv"), text).unwrap();
    let (set, counts) = competing(folder.path()).unwrap();
    assert_eq!(set.names, ["feature1", "feature2=a", "feature2=b"]);
    assert_eq!((set.time.clone(), set.cause.clone()), (vec![5.0, 6.0, 7.0], vec![1, 0, 2]));
    assert_eq!(set.row(0), [0.5, 0.0, 1.0]);
    assert!(set.row(1)[0].is_nan() && set.row(2)[1].is_nan() && set.row(1)[1] == 1.0);
    assert_eq!((counts.read, counts.kept, counts.dropped_rows()), (6, 3, 3));
    fs::write(folder.path().join("metabric_features.csv"), "age,grade,grade\n50,0,1\n60,1,0\n").unwrap();
    fs::write(folder.path().join("metabric_label.csv"), "event_time,label\n2999 ,0 \n30 ,1 \n").unwrap();
    let (set, _) = metabric(folder.path()).unwrap();
    assert_eq!(
        (set.names.join(" ").as_str(), set.time, set.cause),
        ("age grade grade#2", vec![2999.0, 30.0], vec![0, 1])
    );
    fs::write(folder.path().join("metabric_label.csv"), "event_time,label\n2999 ,0 \n").unwrap();
    assert!(metabric(folder.path()).unwrap_err().to_string().contains("1 usable rows where the features have 2"));
    assert!(support2(folder.path()).unwrap_err().to_string().contains("there is no support2.csv"));
}

#[test]
fn what_is_no_hdf5_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    for bytes in
        [&b""[..], b"hello", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n\x02\x08\x08\x00\x00\x00\x00\x00\x00\x00\x00"]
    {
        fs::write(&path, bytes).unwrap();
        let error = deepsurv(&path).unwrap_err().to_string();
        assert!(error.contains("HDF5 file"), "{error}");
    }
}
